"use strict";
document.documentElement.classList.add("scripted");

const read = (attribute, id) => JSON.parse(document.querySelector(`script[data-${attribute}="${id}"]`).textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");

// Pictures. One is drawn when it is first seen, since in a hidden tab it has no width.

const drawn = new Set();

function themed(layout) {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  const axis = { gridcolor: color("line"), zerolinecolor: color("quiet"), linecolor: color("line"), tickcolor: color("line") };
  const themedLayout = {
    ...layout,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { ...layout.font, family: "system-ui, sans-serif", size: 13, color: color("ink") },
    hoverlabel: { ...layout.hoverlabel, bgcolor: color("ink"), bordercolor: color("line"), font: { color: color("sheet"), size: 13 } },
    dragmode: false,
  };
  for (const key of Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name))) {
    themedLayout[key] = { ...layout[key], ...axis, fixedrange: true };
  }
  return themedLayout;
}

function draw(picture) {
  const figure = picture.figure ?? (picture.figure = read("figure", picture.id));
  drawn.add(picture);
  return Plotly.react(picture, figure.data, themed(figure.layout), { displayModeBar: false, responsive: true });
}

function drawVisible(within) {
  for (const picture of within.querySelectorAll(".picture")) {
    if (!picture.offsetWidth) continue;
    if (!drawn.has(picture)) draw(picture);
    // The window may have another width by now.
    else if (picture.querySelector(".main-svg").clientWidth !== picture.offsetWidth) Plotly.Plots.resize(picture);
  }
}

dark.addEventListener("change", () => drawn.forEach(draw));

// Tabs: arrow keys, and links to sections in other tabs.

const tabs = [...document.querySelectorAll('[role="tab"]')];
const panelOf = (tab) => document.getElementById(tab.getAttribute("aria-controls"));

function select(chosen) {
  for (const tab of tabs) {
    tab.setAttribute("aria-selected", String(tab === chosen));
    tab.tabIndex = tab === chosen ? 0 : -1;
    panelOf(tab).hidden = tab !== chosen;
  }
  chosen.scrollIntoView({ block: "nearest", inline: "nearest" });
  drawVisible(panelOf(chosen));
}

function selectTarget() {
  const target = location.hash ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
  const panel = target?.closest('[role="tabpanel"]');
  select(tabs.find((tab) => panelOf(tab) === panel) ?? tabs[0]);
  if (panel) target.scrollIntoView();
}

tabs.forEach((tab, position) => {
  tab.addEventListener("click", () => {
    history.replaceState(null, "", `#${panelOf(tab).id}`);
    select(tab);
    scrollTo(0, 0);
  });
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(position + step + tabs.length) % tabs.length];
    next.focus();
    next.click();
  });
});

// Choices: of several groups of blocks, one is shown.

for (const choice of document.querySelectorAll(".choice")) {
  const box = choice.querySelector("select");
  const show = () => {
    for (const option of choice.querySelectorAll(".option")) option.hidden = option.dataset.option !== box.value;
    drawVisible(choice);
  };
  box.addEventListener("change", show);
  show();
}

// Bubbles: two quantities that the reader chooses.

for (const block of document.querySelectorAll(".bubbles")) {
  const id = block.dataset.picture;
  const picture = document.getElementById(id);
  const values = read("values", id);
  const boxes = { x: block.querySelector('[data-axis="x"]'), y: block.querySelector('[data-axis="y"]') };
  const arrange = () => {
    const figure = picture.figure ?? (picture.figure = read("figure", id));
    const trace = figure.data[0];
    for (const axis of ["x", "y"]) {
      const rows = values[boxes[axis].value];
      trace[axis] = rows.map((row) => row[0]);
      trace[`error_${axis}`] = { ...trace[`error_${axis}`], arrayminus: rows.map((row) => row[1]), array: rows.map((row) => row[2]) };
      // 0 is always in the picture: it parts those that gain from those that lose.
      const ends = [0, ...rows.filter((row) => row[0] !== null).flatMap((row) => [row[0] - row[1], row[0] + row[2]])];
      const room = 0.15 * (Math.max(...ends) - Math.min(...ends)) || 1;
      figure.layout[`${axis}axis`].range = [Math.min(...ends) - room, Math.max(...ends) + room];
      figure.layout[`${axis}axis`].title.text = `gain of ${boxes[axis].value}`;
    }
    // Names stand towards the middle, so that none leaves the picture.
    const [left, right] = figure.layout.xaxis.range;
    trace.textposition = trace.x.map((x) => (x > (left + right) / 2 ? "top left" : "top right"));
  };
  arrange();
  for (const box of Object.values(boxes)) {
    box.addEventListener("change", () => {
      arrange();
      draw(picture);
    });
  }
}

// Tables and tabs that are wider than the page: what is cut off at the right is hinted at.

const wide = [...document.querySelectorAll(".table")].map((box) => {
  const hint = document.createElement("p");
  hint.className = "more-hint";
  hint.textContent = "more columns: scroll →";
  hint.setAttribute("aria-hidden", "true"); // who listens gets the whole table anyway
  box.before(hint);
  return { box, hint };
});
wide.push({ box: document.querySelector('[role="tablist"]'), hint: null });

function hintAtMore({ box, hint }) {
  const left = box.scrollWidth - box.clientWidth - box.scrollLeft;
  box.classList.toggle("more-right", left > 2);
  if (hint) hint.hidden = box.scrollWidth - box.clientWidth <= 2;
}

for (const one of wide) {
  new ResizeObserver(() => hintAtMore(one)).observe(one.box);
  one.box.addEventListener("scroll", () => hintAtMore(one), { passive: true });
}

// Tooltips of headings, by mouse, finger and keyboard.

const tooltip = document.getElementById("tooltip");

function explain(hint) {
  tooltip.textContent = hint.dataset.hint;
  tooltip.hidden = false;
  hint.setAttribute("aria-describedby", "tooltip");
  const place = hint.getBoundingClientRect();
  const left = Math.min(Math.max(place.left, 8), innerWidth - tooltip.offsetWidth - 8);
  tooltip.style.left = `${left}px`;
  const below = place.bottom + 6;
  tooltip.style.top = `${below + tooltip.offsetHeight > innerHeight ? place.top - tooltip.offsetHeight - 6 : below}px`;
}

function explainNoMore(hint) {
  tooltip.hidden = true;
  hint.removeAttribute("aria-describedby");
}

for (const hint of document.querySelectorAll(".hint")) {
  for (const event of ["pointerenter", "focus", "click"]) hint.addEventListener(event, () => explain(hint));
  for (const event of ["pointerleave", "blur"]) hint.addEventListener(event, () => explainNoMore(hint));
}
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") tooltip.hidden = true;
});

for (const details of document.querySelectorAll("details")) details.addEventListener("toggle", () => drawVisible(details));
addEventListener("hashchange", selectTarget);
selectTarget();
