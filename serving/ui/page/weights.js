// The weights of the ranking formula: a slider and a number for each.

import { element } from "./element.js";

const STEP = 0.05;
const LEAST_MAXIMUM = 3;

export class Weights {
  /** `changed` is called after each change by hand. */
  constructor(container, resetButton, changed) {
    this.container = container;
    this.resetButton = resetButton;
    this.changed = changed;
    this.controls = new Map();
    resetButton.addEventListener("click", () => {
      for (const control of this.controls.values()) control.set(control.own);
      this.#afterChange();
    });
  }

  /** Shows the weights of a model: its own by name, and what each stands for in words. */
  show(own, meanings) {
    this.controls = new Map(Object.entries(own).map(([name, weight]) => [name, control(name, weight, () => this.#afterChange())]));
    this.container.replaceChildren(
      ...[...this.controls].map(([name, made]) =>
        element("div", { className: "weight" },
          element("p", {},
            element("label", { htmlFor: `weight-${name}` }, name), " ",
            element("span", { className: "note", id: `meaning-${name}` }, meanings[name]),
          ),
          made.slider, made.number,
        ),
      ),
    );
    this.#showState();
  }

  /** The weights that differ from the model's own: these travel with the request. */
  get overrides() {
    const changed = [...this.controls].filter(([, { value, own }]) => value !== own);
    return Object.fromEntries(changed.map(([name, { value }]) => [name, value]));
  }

  #afterChange() {
    this.#showState();
    this.changed();
  }

  #showState() {
    for (const { slider, value, own } of this.controls.values()) {
      slider.closest(".weight").classList.toggle("changed", value !== own);
    }
    this.resetButton.disabled = Object.keys(this.overrides).length === 0;
  }
}

function control(name, own, changed) {
  const limits = { min: Math.min(0, 2 * own), max: Math.max(LEAST_MAXIMUM, 2 * own) };
  const described = { "aria-describedby": `meaning-${name}` };
  const slider = element("input", { type: "range", id: `weight-${name}`, ...limits, step: STEP, ...described });
  const number = element("input", { type: "number", step: STEP, "aria-label": `${name} as a number`, ...described });
  const made = {
    own,
    slider,
    number,
    value: own,
    set(value) {
      made.value = value;
      number.value = String(value);
      slider.value = String(value); // the slider stays at its end where the number is beyond
      number.removeAttribute("aria-invalid");
    },
  };
  made.set(own);
  slider.addEventListener("input", () => {
    made.set(slider.valueAsNumber);
    changed();
  });
  number.addEventListener("input", () => {
    const valid = Number.isFinite(number.valueAsNumber);
    number.setAttribute("aria-invalid", String(!valid));
    if (!valid) return; // half typed: the last number stays in force
    made.value = number.valueAsNumber;
    slider.value = number.value;
    changed();
  });
  number.addEventListener("change", () => made.set(made.value));
  return made;
}
