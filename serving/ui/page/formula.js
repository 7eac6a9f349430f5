// The ranking formula, written out with the weights in force.

import { element } from "./element.js";

/** A paragraph such as "ranking score = vtr^1 · ln(1 + duration_s)^0.2", with the changed weights marked. */
export function formula(weights, own, duration) {
  const factors = Object.entries(weights).flatMap(([name, weight], position) => {
    const base = name === "duration" && duration ? durationText(duration) : name;
    const exponent = element("sup", { className: weight === own[name] ? "" : "changed" }, String(weight));
    const factor = element("span", { className: weight === 0 ? "factor idle" : "factor" }, base, exponent);
    return position ? [" · ", factor] : [factor];
  });
  return element("p", { className: "formula" }, "ranking score = ", ...factors);
}

function durationText({ field, transform, scale }) {
  const scaled = scale === 1 ? field : `${field} / ${scale}`;
  return { none: `(${scaled})`, log1p: `ln(1 + ${scaled})`, sigmoid: `sigmoid(${scaled})` }[transform];
}
