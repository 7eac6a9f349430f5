// One ranked list as a table whose rows move to their new places.

import { element, fieldText, numberText, rankingScoreText } from "./element.js";

const FIELDS_SHOWN = 5;
const MOVE_MS = 250;
const SHOWN = "this user was shown it";

export class RankedTable {
  /** `meanings`: what each task's score says, by task. `label`: the table's name for those who do not see it. */
  constructor(meanings, label) {
    this.tasks = Object.keys(meanings);
    this.rows = new Map();
    this.elsewhere = cell("columnheader", "elsewhere");
    // Roles, because the narrow layout turns the table into blocks, which takes its meaning from it.
    const heads = [
      cell("columnheader", "rank", "rank"),
      cell("columnheader", "move", element("span", { title: "places moved by your weights" }, "moved")),
      this.elsewhere,
      cell("columnheader", "candidate", "candidate"),
      cell("columnheader", "item-fields", "its fields"),
      ...this.tasks.map((task) => cell("columnheader", "score", element("abbr", { title: meanings[task] }, task))),
      cell("columnheader", "total", "ranking score"),
    ];
    this.body = element("tbody", { role: "rowgroup" });
    this.node = element("table", { role: "table", "aria-label": label },
      element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...heads)),
      this.body,
    );
  }

  /**
   * Shows an answer.
   * candidates: best first. highest: each task's highest score in all lists shown.
   * other: the list beside this one as {name, ranks by position}, or null.
   */
  show(candidates, highest, other) {
    const before = new Map([...this.rows].map(([position, row]) => [position, row.node.getBoundingClientRect().top]));
    this.node.classList.toggle("compared", other !== null);
    this.elsewhere.textContent = other ? `in ${other.name}` : "";
    for (const candidate of candidates) {
      const row = this.rows.get(candidate.position) ?? this.#row(candidate);
      row.show(candidate, highest, other);
    }
    this.body.replaceChildren(...candidates.map(({ position }) => this.rows.get(position).node));
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) this.#animate(before);
  }

  #animate(before) {
    for (const [position, top] of before) {
      const { node } = this.rows.get(position);
      const moved = top - node.getBoundingClientRect().top;
      if (moved) node.animate([{ transform: `translateY(${moved}px)` }, { transform: "none" }], { duration: MOVE_MS, easing: "ease-out" });
    }
  }

  #row(candidate) {
    const rank = cell("cell", "rank");
    const move = cell("cell", "move");
    const elsewhere = cell("cell", "elsewhere");
    const total = cell("cell", "total");
    const scores = new Map(this.tasks.map((task) => [task, scoreCell(task)]));
    const node = element("tr", { role: "row" },
      rank, move, elsewhere, candidateCell(candidate), fieldsCell(candidate), ...[...scores.values()].map((score) => score.node), total);
    node.dataset.position = candidate.position;
    const show = (now, highest, other) => {
      rank.textContent = now.rank;
      showMove(move, now.own_rank - now.rank);
      showElsewhere(elsewhere, now, other);
      for (const [task, score] of scores) score.show(now.scores[task], now.factors[task], highest[task]);
      total.replaceChildren(
        element("b", {}, rankingScoreText(now.ranking_score, now.log_ranking_score)),
        "duration" in now.factors ? factorText("duration ", now.factors.duration) : "",
      );
    };
    const row = { node, show };
    this.rows.set(candidate.position, row);
    return row;
  }
}

function cell(role, className, ...children) {
  return element(role === "cell" ? "td" : "th", { role, className }, ...children);
}

function candidateCell({ position, id, display, shown }) {
  return cell("cell", "candidate",
    element("b", { className: "id" }, id ?? `candidate ${position + 1}`), " ",
    display ? element("span", { className: "display" }, display, " ") : "",
    shown ? element("span", { className: "shown", role: "img", title: SHOWN, "aria-label": SHOWN }, "•") : "",
  );
}

function fieldsCell({ id, fields, counts, attended }) {
  const known = Object.entries(fields).filter(([, value]) => value !== id);
  const more = known.slice(FIELDS_SHOWN);
  return cell("cell", "item-fields",
    ...itemFields(known.slice(0, FIELDS_SHOWN)),
    more.length ? element("details", {}, element("summary", {}, `${more.length} more fields`), ...itemFields(more)) : "",
    ...Object.keys(counts).length ? [historiesOf(counts)] : [],
    ...attended.map(attendedOf),
  );
}

/** The counts of a candidate: what was known of it and of the user with it, before the request. */
function historiesOf(counts) {
  const known = Object.entries(counts).map(([name, text]) => element("div", {}, `${name} `, element("b", {}, text)));
  return element("details", {}, element("summary", {}, `${known.length} ${known.length > 1 ? "counts" : "count"} of before`), ...known);
}

/** The past exposures that a candidate looks at most, with their weights. */
function attendedOf({ name, columns, entries }) {
  const rows = entries.map(({ weight, row }) =>
    element("div", { title: columns.join(", ") }, element("b", {}, weight.toFixed(3)), ` ${row.map((text) => text || "–").join(" · ")}`));
  return element("details", {}, element("summary", {}, `looks at ${name}`), ...rows);
}

function itemFields(entries) {
  return entries.flatMap(([name, value], place) => [`${place ? " · " : ""}${name} `, element("b", {}, fieldText(value))]);
}

function scoreCell(task) {
  const value = element("span", { className: "value" });
  const factor = element("span");
  const bar = element("span", { className: "bar", "aria-hidden": "true" }, element("span"));
  const node = cell("cell", "score", element("span", { className: "task", "aria-hidden": "true" }, task), value, bar, factor);
  node.dataset.task = task;
  const show = (score, share, highest) => {
    value.textContent = numberText(score);
    bar.firstChild.style.width = `${highest > 0 ? Math.max(0, Math.min(1, score / highest)) * 100 : 0}%`;
    factor.replaceChildren(factorText("", share));
  };
  return { node, show };
}

function factorText(before, factor) {
  const text = factor === null ? "∞" : factor < 0.001 ? factor.toExponential(1) : factor.toPrecision(3);
  return element("span", { className: "part" }, `${before}×${text}`);
}

function showMove(node, places) {
  node.className = `move ${places > 0 ? "up" : places < 0 ? "down" : ""}`;
  node.textContent = places ? `${places > 0 ? "▲" : "▼"}${Math.abs(places)}` : "";
  if (places) node.setAttribute("aria-label", `${Math.abs(places)} ${places > 0 ? "up" : "down"}`);
  else node.removeAttribute("aria-label");
}

function showElsewhere(node, { position, rank }, other) {
  const there = other?.ranks.get(position);
  node.classList.toggle("differs", there !== undefined && there !== rank);
  node.textContent = there === undefined ? "" : `${other.name}: ${there}`;
}
