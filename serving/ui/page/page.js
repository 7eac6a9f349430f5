// The page: what is chosen, and what is shown for it.

import { element, fieldText } from "./element.js";
import { RankedList } from "./ranked_list.js";
import { fetchModels, fetchRanking } from "./server.js";
import { sequence } from "./sequence.js";
import { Weights } from "./weights.js";

const LOOK_AGAIN_MS = 4000;
const DEBOUNCE_MS = 60;
const FIRST = 5;
const NAMES = ["A", "B"];
const $ = (id) => document.getElementById(id);

let models = []; // as the server describes them
let model = null; // the one that is shown
let lists = []; // as they are shown
let listsFor = ""; // whose candidates
let pending = null; // the request under way: only the last one's answer is shown
let timer = null;

const weights = new Weights($("weights"), $("reset"), () => rankSoon());

function showAlert(text) {
  $("alert").textContent = text;
  $("alert").hidden = text === "";
}

function options(select, entries, chosen) {
  select.replaceChildren(...entries.map(([value, text]) => element("option", { value }, text)));
  select.value = entries.some(([value]) => value === chosen) ? chosen : entries[0][0];
}

/** Takes over what is served now; what was chosen stays where it still exists. */
async function look() {
  try {
    const served = await fetchModels();
    $("loading").hidden = true;
    const changed = JSON.stringify(served) !== JSON.stringify(models);
    models = served;
    if (changed) showModels();
    else if ($("alert").dataset.from === "look") rankSoon(); // the server is back
  } catch (error) {
    $("loading").hidden = true;
    showAlert(error.message);
    $("alert").dataset.from = "look";
  }
}

function showModels() {
  const named = models.filter(({ name }) => name !== null);
  const usable = named.filter(({ error }) => error === undefined);
  $("model-choice").hidden = named.length < 2;
  if (named.length) options($("model"), named.map(({ name }) => [name, name]), model?.name ?? usable[0]?.name);
  showModel();
}

function showModel() {
  const before = model;
  model = models.find(({ name }) => name === $("model").value) ?? models[0] ?? null;
  if (model === null || model.error !== undefined) {
    showAlert(model?.error ?? "No model is served.");
    $("main").hidden = model === null || models.length < 2;
    $("lists").replaceChildren();
    listsFor = "";
    model = null;
    return;
  }
  $("main").hidden = false;
  $("model-name").textContent = model.name;
  const same = (part) => before?.name === model.name && JSON.stringify(before[part]) === JSON.stringify(model[part]);
  if (!same("requests")) {
    options($("user"), model.requests.map(({ label }, number) => [String(number), label]), "0");
  }
  if (!same("weights") || !same("tasks")) {
    const { field } = model.duration ?? {};
    weights.show(model.weights, { ...model.tasks, duration: `the candidate’s ${field}` });
  }
  showVersions();
  showUser();
  listsFor = "";
  rankSoon(0);
}

function showVersions() {
  const numbers = model.versions.map((number) => [String(number), String(number)]);
  const [first, second] = [$("version-a"), $("version-b")];
  options(first, [["newest", `newest (${model.versions[0]})`], ...numbers.slice(1)], first.value);
  const firstTime = second.options.length === 0;
  options(second, [["", "nothing"], ...numbers], firstTime && numbers.length > 1 ? numbers[1][0] : second.value);
  second.disabled = numbers.length < 2;
  $("version-note").textContent = numbers.length < 2 ? "One version is loaded; --versions all keeps all of them to compare." : "";
}

function showUser() {
  const { user, context, counts, sequences, candidates, shown } = model.requests[Number($("user").value)];
  const entries = Object.entries({ ...user, ...context, ...counts });
  $("user-fields").replaceChildren(
    ...entries.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, fieldText(value)))),
  );
  $("user-sequences").replaceChildren(...sequences.map(sequence));
  const parts = [[shown, "this user was shown"], [candidates - shown, "other users were shown"]];
  const counted = parts.filter(([count]) => count).map(([count, what]) => `${count} that ${what}`);
  // A log without users cannot say who was shown what.
  $("user-note").textContent = `${candidates} candidates${shown ? `: ${counted.join(" and ")}` : ""}. From ${model.source}.`;
}

function rankSoon(wait_ms = DEBOUNCE_MS) {
  clearTimeout(timer);
  timer = setTimeout(rank, wait_ms);
}

async function rank() {
  if (model === null) return;
  pending?.abort();
  const own = (pending = new AbortController());
  const [first, second] = [$("version-a").value, $("version-b").value];
  const versions = [first === "newest" ? null : Number(first), ...(second === "" ? [] : [Number(second)])];
  const call = { model: model.name, request: Number($("user").value), versions, weights: weights.overrides };
  $("lists").setAttribute("aria-busy", "true");
  if (listsFor === "") $("summary").textContent = "Loading the order …";
  try {
    const answer = await fetchRanking(call, own.signal);
    if (own !== pending) return;
    showLists(answer.lists, call.request);
    showAlert("");
    delete $("alert").dataset.from;
    if (JSON.stringify(answer.versions) !== JSON.stringify(model.versions)) look();
  } catch (error) {
    if (own !== pending || error.name === "AbortError") return;
    showAlert(error.message);
    $("alert").dataset.from = "rank";
  }
  $("lists").setAttribute("aria-busy", "false");
}

function showLists(answers, request) {
  const ranked = answers.filter(({ candidates }) => candidates);
  const highest = Object.fromEntries(
    Object.keys(model.tasks).map((task) => [
      task, Math.max(...ranked.flatMap(({ candidates }) => candidates.map(({ scores }) => scores[task] ?? Infinity))),
    ]),
  );
  const ranks = answers.map(({ candidates }) => candidates && new Map(candidates.map(({ position, rank: at }) => [position, at])));
  // Rows move within one user's list; another user's candidates are others.
  if (listsFor !== `${answers.length} of ${request}`) {
    listsFor = `${answers.length} of ${request}`;
    lists = answers.map((_, place) => new RankedList(model.tasks, answers.length > 1 ? NAMES[place] : ""));
    $("lists").replaceChildren(...lists.map(({ node }) => node));
  }
  answers.forEach((answer, place) => {
    const others = answers.length > 1 && ranks[1 - place];
    lists[place].show(answer, model, highest, others ? { name: NAMES[1 - place], ranks: others } : null);
  });
  $("legend-compared").hidden = answers.length < 2;
  $("summary").textContent = summary(ranked);
  // Where the lists stand below the sliders, the first places are shown beside these.
  const names = ranked[0]?.candidates.slice(0, FIRST).map(({ id, display, position }) => display ?? id ?? `candidate ${position + 1}`);
  $("first").textContent = names ? `First: ${names.join(", ")}` : "";
}

function summary(ranked) {
  if (ranked.length === 0) return "";
  const [first, second] = ranked;
  const total = first.candidates.length;
  const moved = first.candidates.filter(({ rank: now, own_rank: own }) => now !== own).length;
  const texts = [
    Object.keys(weights.overrides).length
      ? `Your weights move ${moved} of ${total} candidates${second ? " in A" : ""}.`
      : `${total} candidates, ranked with the model's own weights.`,
  ];
  if (second) {
    const there = new Map(second.candidates.map(({ position, rank: at }) => [position, at]));
    const apart = first.candidates.map(({ position, rank: at }) => Math.abs(at - there.get(position)));
    texts.push(`A and B disagree about ${apart.filter(Boolean).length} of ${total}, by at most ${Math.max(...apart)} places.`);
  }
  return texts.join(" ");
}

function step(places) {
  const select = $("user");
  select.selectedIndex = (select.selectedIndex + places + select.options.length) % select.options.length;
  showUser();
  rankSoon(0);
}

$("model").addEventListener("change", showModel);
$("user").addEventListener("change", () => step(0));
$("previous-user").addEventListener("click", () => step(-1));
$("next-user").addEventListener("click", () => step(1));
for (const id of ["version-a", "version-b"]) $(id).addEventListener("change", () => rankSoon(0));

await look();
setInterval(look, LOOK_AGAIN_MS);
