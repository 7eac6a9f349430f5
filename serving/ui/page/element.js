// Makes elements. Texts become text nodes, never markup.

/** An element with properties, `data-` and `aria-` attributes, and children; null children are left out. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** A number as people read it. JSON has no infinity: null stands for it. */
export function numberText(value) {
  if (value === null) return "∞";
  const size = Math.abs(value);
  return size === 0 || (size >= 0.001 && size < 10000) ? value.toFixed(size < 1 ? 4 : 3) : value.toExponential(2);
}

const LARGEST_LOG = 87;

/** A ranking score; a power of e where single precision does not hold it. `logScore` may be null: older models have none. */
export function rankingScoreText(score, logScore) {
  return logScore === null || Math.abs(logScore) < LARGEST_LOG ? numberText(score) : `e^${logScore.toFixed(2)}`;
}

/** A field's value as people read it. */
export function fieldText(value) {
  if (value === null || (Array.isArray(value) && value.length === 0)) return "–";
  return Array.isArray(value) ? value.join(", ") : String(value);
}
