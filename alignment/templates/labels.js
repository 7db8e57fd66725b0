"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const task = JSON.parse($("data").textContent);
  const { items } = task;
  const placeOf = new Map(items.map(({ item }, place) => [item, place]));
  const answers = [...document.querySelectorAll("[data-verdict]")];

  // Progress is a list of steps, [item, verdict]: the last step of an item counts, and undoing takes
  // the last step away. It is kept in this browser by task and name, where the browser lets us.
  let name = "";
  let steps = [];
  let current = 0;
  let exported = true;
  let kept = true;

  const key = () => `alignment-labels ${JSON.stringify([task.task, name])}`;
  const isStep = (step) => Array.isArray(step) && placeOf.has(step[0]) && ["pass", "fail", "unsure"].includes(step[1]);
  const load = () => {
    try {
      const stored = JSON.parse(localStorage.getItem(key()) ?? "[]");
      steps = Array.isArray(stored) ? stored.filter(isStep) : [];
    } catch {
      steps = [];
    }
  };
  const keep = () => {
    exported = false;
    try {
      localStorage.setItem(key(), JSON.stringify(steps));
      kept = true;
    } catch {
      kept = false;
    }
  };
  const labels = () => new Map(steps);

  // -- what is shown ----------------------------------------------------------------------------

  const shown = (place, field) => items[place].shown[field] ?? items[place][field];
  const words = (place, verdict) => task.questions[items[place].axis][verdict] ?? verdict;
  const say = (text, warning = false) => {
    $("message").textContent = text;
    $("message").classList.toggle("warning", warning);
  };
  const lasting = () => (kept ? "" : " This browser keeps nothing: export before you close the page.");
  const show = () => {
    const given = labels();
    $("where").textContent = `Response ${current + 1} of ${items.length}`;
    $("count").textContent = `${given.size} of ${items.length} labelled`;
    $("bar").value = given.size;
    $("question").textContent = task.questions[items[current].axis].question;
    for (const field of ["prompt", "response"]) {
      if ($(field).textContent !== shown(current, field)) $(field).textContent = shown(current, field);
    }
    for (const button of answers) {
      const { verdict } = button.dataset;
      button.querySelector("span").textContent = words(current, verdict);
      button.setAttribute("aria-pressed", String(given.get(items[current].item) === verdict));
    }
    // Not `disabled`, which would take the focus away from who has just pressed the button.
    const idle = { previous: current === 0, next: current === items.length - 1, undo: !steps.length };
    for (const [id, is] of Object.entries(idle)) $(id).setAttribute("aria-disabled", String(is));
  };
  const go = (place) => {
    if (place < 0 || place >= items.length) return;
    current = place;
    show();
    $("prompt").scrollTop = $("prompt").scrollHeight; // the question is the end of a dialogue
    $("response").scrollTop = 0;
  };

  // -- what an annotator does -------------------------------------------------------------------

  const nextUnlabelled = () => {
    const given = labels();
    const order = items.map((_, step) => (current + 1 + step) % items.length);
    return order.find((place) => !given.has(items[place].item)) ?? -1;
  };
  const answer = (verdict) => {
    const said = `Response ${current + 1}: ${words(current, verdict)}.`;
    steps.push([items[current].item, verdict]);
    keep();
    const next = nextUnlabelled();
    go(next < 0 ? current : next);
    say(said + (next < 0 ? " All are labelled: export them." : "") + lasting(), !kept);
  };
  const undo = () => {
    if (!steps.length) return;
    const [item] = steps.pop();
    keep();
    go(placeOf.get(item));
    say(`Undone: response ${current + 1}.`);
  };
  const move = (by) => {
    say(lasting(), !kept);
    go(current + by);
  };
  const save = () => {
    const given = labels();
    const made = items
      .filter(({ item }) => given.has(item))
      .map(({ item, axis, prompt, response }) => ({ item, axis, prompt, response, label: given.get(item) }));
    const content = { format: task.format, version: task.version, task: task.task, annotator: name, labels: made };
    const clean = (text) => text.replace(/[^\p{L}\p{N}_-]+/gu, "_").slice(0, 60);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(content, null, 1)], { type: "application/json" }));
    link.download = `labels-${clean(task.task)}-${clean(name)}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    exported = true;
    const missing = items.length - made.length;
    if (missing) say(`Exported ${made.length}. Not labelled yet: ${missing}.`, true);
    else say(`Exported all ${made.length}.`);
  };

  const start = (typed) => {
    name = typed.trim().normalize("NFC");
    if (!name) return;
    load();
    exported = true;
    $("annotator").textContent = `You label as ${name}.`;
    $("start").hidden = true;
    $("work").hidden = false;
    current = items.length - 1; // so that the search for what is left begins at the first
    const next = nextUnlabelled();
    go(Math.max(next, 0));
    say(next < 0 ? "All are labelled: export them." : "");
    $("response").focus({ preventScroll: true });
  };
  const leave = () => {
    name = "";
    $("work").hidden = true;
    $("start").hidden = false;
    $("name").value = "";
    $("name").focus();
  };

  // -- keys and buttons -------------------------------------------------------------------------

  const keys = {
    p: () => answer("pass"), 1: () => answer("pass"),
    f: () => answer("fail"), 2: () => answer("fail"),
    u: () => answer("unsure"), 3: () => answer("unsure"),
    z: undo, backspace: undo, e: save,
    arrowleft: () => move(-1), arrowright: () => move(1),
  };
  document.addEventListener("keydown", (event) => {
    const act = Object.hasOwn(keys, event.key.toLowerCase()) && keys[event.key.toLowerCase()];
    if (!act || !name || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    // A key that is held down would answer for responses that nobody has read.
    if (!event.repeat || event.key.startsWith("Arrow")) act();
  });
  for (const button of answers) button.addEventListener("click", () => answer(button.dataset.verdict));
  for (const [id, act] of Object.entries({ undo, export: save, leave })) $(id).addEventListener("click", act);
  $("previous").addEventListener("click", () => move(-1));
  $("next").addEventListener("click", () => move(1));
  $("who").addEventListener("submit", (event) => {
    event.preventDefault();
    start($("name").value);
  });
  window.addEventListener("storage", (event) => {
    // Another tab labels the same task under the same name.
    if (!name || event.key !== key()) return;
    load();
    show();
  });
  window.addEventListener("beforeunload", (event) => {
    if (!kept && !exported) event.preventDefault();
  });

  $("start").hidden = false;
  $("name").focus();
})();
