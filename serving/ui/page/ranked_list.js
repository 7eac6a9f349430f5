// One version's answer: which version, how fast, by which formula, in which order; or why there is none.

import { element } from "./element.js";
import { formula } from "./formula.js";
import { RankedTable } from "./ranked_table.js";

export class RankedList {
  /** `name`: "A" or "B" beside another list, else empty. */
  constructor(meanings, name) {
    this.name = name;
    this.title = element("span");
    this.took = element("span", { className: "took" });
    this.formula = element("div");
    this.error = element("p", { className: "alert" });
    this.table = new RankedTable(meanings, name ? `Ranked candidates, ${name}` : "Ranked candidates");
    this.node = element("section", { className: "list" },
      element("h3", {}, this.title, " ", this.took), this.error, this.formula, this.table.node);
  }

  /** Shows a list of the server's answer; `model`, `highest` and `other` as in RankedTable and the model's description. */
  show(list, model, highest, other) {
    const failed = list.error !== undefined;
    this.title.textContent = `${this.name ? `${this.name}: version` : "Version"} ${list.version ?? "newest"}`;
    this.took.textContent = failed ? "" : `answered in ${list.latency_ms.toFixed(1)} ms`;
    this.error.textContent = list.error ?? "";
    this.error.hidden = !failed;
    this.formula.hidden = this.table.node.hidden = failed;
    if (failed) return;
    this.formula.replaceChildren(formula(list.weights, model.weights, model.duration));
    this.table.show(list.candidates, highest, other);
  }
}
