// What a user did before, as a list of exposures, the newest first.

import { element } from "./element.js";

const OPEN_ROWS = 5;

/** A sequence {name, columns, rows} of the model's description. */
export function sequence({ name, columns, rows }) {
  const heads = columns.map((column) => element("th", { scope: "col" }, column));
  const lines = rows.map((row) => element("tr", {}, ...row.map((text) => element("td", {}, text || "–"))));
  const table = element("table", {},
    element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...lines));
  const title = element("summary", {}, element("b", {}, name), ` ${rows.length || "nothing"} before, newest first`);
  return rows.length
    ? element("details", { className: "sequence", open: rows.length <= OPEN_ROWS }, title, element("div", {}, table))
    : element("p", { className: "sequence note" }, element("b", {}, name), " nothing before");
}
