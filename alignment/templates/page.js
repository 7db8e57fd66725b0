"use strict";
(() => {
  const PAGE = 50;
  const FILTERS = ["variant", "axis", "verdict", "flip", "kind", "language"];
  const WORDS = {
    verdict: { pass: "passes", fail: "does not pass" },
    flip: { lost: "lost", gained: "gained", any: "lost or gained" },
  };
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const { cases, names, prompts, texts } = data;
  const all = cases.variant.map((_, i) => i);
  const form = $("filters");
  const table = $("case-table");
  const body = table.tBodies[0];

  // -- what a case is ---------------------------------------------------------------------------

  const promptId = (i) => prompts.id[cases.prompt[i]];
  const asked = (i) => prompts.text[cases.prompt[i]];
  const variant = (i) => names.variant[cases.variant[i]];
  const axis = (i) => names.axis[cases.axis[i]];
  const language = (i) => names.language[prompts.language[cases.prompt[i]]];
  const kind = (i) => (cases.degenerate[i] === null ? "" : names.degenerate[cases.degenerate[i]]);
  const flip = (i) => ["lost", "", "gained"][cases.flip[i] + 1];
  const key = (i) => `${variant(i)}/${promptId(i)}`;
  const change = (i) => (cases.before[i] === null ? null : cases.score[i] - cases.before[i]);
  let places;
  const place = (id) => {
    places ??= new Map(all.map((i) => [key(i), i]));
    return places.get(id);
  };
  let lowered;
  const searched = (i) => {
    // Once, when somebody first searches: prompts are shared by many cases.
    lowered ??= {
      texts: texts.map((text) => text.toLowerCase()),
      cases: all.map((j) => `${key(j)}\n${cases.response[j] ?? ""}`.toLowerCase()),
    };
    return [lowered.cases[i], lowered.texts[asked(i)]];
  };

  // -- what is shown: everything that a link can say ---------------------------------------------

  const state = { q: "", sort: "", page: 1, case: "" };
  FILTERS.forEach((name) => (state[name] = ""));
  const open = new Set();
  let shown = all;
  let showAll = false;
  let current = -1; // the row, among all that are shown, that j and k count from

  const read = () => {
    const told = new URLSearchParams(location.hash.slice(1));
    for (const name of [...FILTERS, "q", "sort", "case"]) state[name] = told.get(name) ?? "";
    if (!sorts.has(state.sort)) state.sort = "";
    state.page = Math.max(1, parseInt(told.get("page"), 10) || 1);
  };
  const link = (fields) => {
    const told = Object.entries(fields).filter(([name, value]) => value && !(name === "page" && value === 1));
    return told.length ? `#${new URLSearchParams(told)}` : "#cases";
  };
  const write = () => history.replaceState(null, "", link(state));

  const matches = {
    variant: (i) => variant(i) === state.variant,
    axis: (i) => axis(i) === state.axis,
    verdict: (i) => (cases.passed[i] ? "pass" : "fail") === state.verdict,
    flip: (i) => (state.flip === "any" ? cases.flip[i] !== 0 : flip(i) === state.flip),
    kind: (i) => kind(i) === state.kind,
    language: (i) => language(i) === state.language,
    q: (i) => searched(i).some((text) => text.includes(state.q.toLowerCase())),
  };
  const orders = new Map([["score", (i) => cases.score[i]], ["change", change]]);
  const sorts = new Set([...orders.keys()].flatMap((by) => [by, `${by}-down`]));
  const choose = () => {
    const wanted = [...FILTERS, "q"].filter((name) => state[name]);
    shown = all.filter((i) => wanted.every((name) => matches[name](i)));
    const [by, down] = state.sort.split("-");
    const value = orders.get(by);
    if (!value) return;
    const sign = down ? -1 : 1;
    const last = (i) => value(i) === null;
    shown.sort((a, b) => last(a) - last(b) || (last(a) ? 0 : sign * (value(a) - value(b))) || a - b);
  };

  // -- the table --------------------------------------------------------------------------------

  const element = (tag, text, className) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };
  const number = (value) => (value === null ? "-" : value.toFixed(2));
  const signed = (value) => (value > 0 ? `+${number(value)}` : number(value));
  const cut = (more) => element("p", `${more.toLocaleString("en")} more characters in report.json.`, "note");

  const row = (i) => {
    const made = element("tr");
    const opener = element("button", promptId(i), "opener");
    opener.type = "button";
    opener.setAttribute("aria-expanded", "false");
    const head = element("th");
    head.scope = "row";
    head.append(opener);
    const verdict = element("td");
    const passed = cases.passed[i];
    verdict.append(element("span", passed ? "✓ passes" : "✕ does not pass", passed ? "good" : "bad"));
    made.append(head, element("td", variant(i)), element("td", axis(i)), verdict);
    made.append(element("td", number(cases.score[i])), element("td", signed(change(i))));
    made.append(element("td", flip(i) || "-"), element("td", kind(i) || "-"), element("td", language(i)));
    made.dataset.case = i;
    opener.addEventListener("click", () => toggle(i, !isOpen(i)));
    return made;
  };

  const section = (title, text, more, absent) => {
    const made = element("div", undefined, "side");
    made.append(element("h3", title));
    made.append(text === null || text === "" ? element("p", absent, "text absent") : element("p", text, "text"));
    if (more) made.append(cut(more));
    return made;
  };
  const details = (i) => {
    const made = element("tr", undefined, "texts");
    const cell = element("td");
    cell.colSpan = table.tHead.rows[0].cells.length;
    const sides = element("div", undefined, "sides");
    sides.append(section("Prompt", texts[asked(i)], data.cut[asked(i)], "Only the prompt's id is known."));
    const response = cases.response[i];
    const absent = response === null ? "Only the score is known." : "(empty)";
    sides.append(section("Response", response, cases.cut[i], absent));
    const told = Object.entries(data.dimensions).map(([name, values]) => `${name} ${number(values[i])}`);
    if (cases.before[i] !== null) told.push(`score before: ${number(cases.before[i])}`);
    if (cases.truth[i] !== null) told.push(`label: ${names.truth[cases.truth[i]]}`);
    if (cases.stop[i] !== null) told.push(`stopped by: ${names.stop[cases.stop[i]]}`);
    if (cases.tokens[i] !== null) told.push(`${cases.tokens[i]} tokens`);
    told.push(`source: ${names.source[prompts.source[cases.prompt[i]]]}`);
    const facts = element("p", `${told.join(" · ")} · `, "note");
    const permanent = element("a", "link to this case");
    permanent.href = link({ case: key(i) });
    facts.append(permanent);
    cell.append(sides, facts);
    made.append(cell);
    return made;
  };

  const isOpen = (i) => (showAll ? !open.has(~i) : open.has(i));
  const rowOf = (i) => body.querySelector(`tr[data-case="${i}"]`);
  const lay = (i) => {
    const own = rowOf(i);
    if (!own) return;
    const next = own.nextElementSibling;
    const there = next?.classList.contains("texts");
    if (isOpen(i) && !there) own.after(details(i));
    if (!isOpen(i) && there) next.remove();
    own.querySelector("button").setAttribute("aria-expanded", String(isOpen(i)));
  };
  const toggle = (i, on) => {
    if (showAll) on ? open.delete(~i) : open.add(~i);
    else on ? open.add(i) : open.delete(i);
    current = shown.indexOf(i);
    state.case = on ? key(i) : state.case === key(i) ? "" : state.case;
    lay(i);
    write();
  };

  const render = () => {
    const pages = Math.max(1, Math.ceil(shown.length / PAGE));
    state.page = Math.min(state.page, pages);
    const first = (state.page - 1) * PAGE;
    const now = shown.slice(first, first + PAGE);
    body.replaceChildren(...now.map(row));
    now.filter(isOpen).forEach(lay);
    const range = now.length ? `, ${first + 1} to ${first + now.length} shown` : "";
    $("count").textContent = `${shown.length.toLocaleString("en")} of ${all.length.toLocaleString("en")} cases${range}`;
    $("page").textContent = `page ${state.page} of ${pages}`;
    $("previous").disabled = state.page === 1;
    $("next").disabled = state.page === pages;
    $("pages").hidden = pages === 1;
    for (const head of table.tHead.querySelectorAll("[data-sort]")) {
      const [by, down] = state.sort.split("-");
      if (by === head.dataset.sort) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  };
  const refresh = () => {
    choose();
    render();
    write();
  };

  // -- links ------------------------------------------------------------------------------------

  const follow = () => {
    if (!location.hash.includes("=")) return false; // a section of the page
    read();
    for (const name of FILTERS) {
      form.elements[name].value = state[name];
      if (form.elements[name].value !== state[name]) state[name] = form.elements[name].value = "";
    }
    form.elements.q.value = state.q;
    choose();
    const wanted = state.case ? place(state.case) : undefined;
    if (wanted !== undefined) reveal(wanted);
    render();
    if (wanted !== undefined) go(wanted);
    else $("cases").scrollIntoView();
    if (state.case && wanted === undefined) $("count").textContent = `There is no case ${state.case} in this report.`;
    return true;
  };
  const reveal = (i) => {
    if (!shown.includes(i)) {
      for (const name of [...FILTERS, "q"]) state[name] = form.elements[name].value = "";
      choose();
    }
    open.add(i);
    state.page = Math.floor(shown.indexOf(i) / PAGE) + 1;
  };
  const go = (i) => {
    current = shown.indexOf(i);
    rowOf(i).querySelector("button").focus({ preventScroll: true });
    rowOf(i).scrollIntoView({ block: "center" });
  };
  const step = (by) => {
    const next = current < 0 ? (state.page - 1) * PAGE : current + by;
    if (next < 0 || next >= shown.length) return;
    const page = Math.floor(next / PAGE) + 1;
    if (page !== state.page) {
      state.page = page;
      render();
      write();
    }
    go(shown[next]);
  };
  const turn = (by) => {
    state.page += by;
    current = -1;
    render();
    write();
    $("cases").scrollIntoView();
  };

  // -- what a reader does -----------------------------------------------------------------------

  const fill = (name, values) => {
    const select = form.elements[name];
    const entries = Array.isArray(values) ? values.map((value) => [value, value]) : Object.entries(values);
    select.append(new Option("all", ""), ...entries.map(([value, text]) => new Option(text, value)));
    select.closest("label").hidden = entries.length < (name === "kind" ? 1 : 2);
  };
  const column = (title, there) => {
    const heads = [...table.tHead.rows[0].cells];
    const index = heads.findIndex((head) => head.textContent.trim() === title);
    if (!there) table.classList.add(`without-${index + 1}`);
  };
  const changed = () => {
    for (const name of FILTERS) state[name] = form.elements[name].value;
    state.q = form.elements.q.value;
    state.page = 1;
    state.case = "";
    current = -1;
    refresh();
  };
  const show = (on) => {
    showAll = on;
    open.clear();
    $("show-all").setAttribute("aria-pressed", String(on));
    $("show-all").textContent = on ? "Hide all texts" : "Show all texts";
    for (const each of document.querySelectorAll("details[data-text]")) {
      each.open = on;
      if (on) each.closest("details.group").open = true;
    }
    render();
  };
  const escape = () => {
    if (document.activeElement === form.elements.q) {
      form.elements.q.blur();
      return;
    }
    const folded = document.activeElement?.closest("details[data-text][open]");
    const opened = document.activeElement?.closest("#case-table") ? shown[current] : undefined;
    if (folded) {
      folded.open = false;
      folded.querySelector("summary").focus();
    } else if (opened !== undefined && isOpen(opened)) {
      toggle(opened, false);
      rowOf(opened).querySelector("button").focus();
    }
  };
  const keys = {
    "/": () => {
      form.elements.q.focus();
      form.scrollIntoView({ block: "nearest" });
    },
    j: () => step(1),
    k: () => step(-1),
    "?": () => $("help").showModal(),
    Escape: escape,
  };

  fill("variant", names.variant);
  fill("axis", names.axis);
  fill("verdict", WORDS.verdict);
  fill("flip", cases.flip.some(Boolean) ? WORDS.flip : {});
  fill("kind", names.degenerate);
  fill("language", names.language);
  column("Change", cases.flip.some(Boolean));
  column("Flip", cases.flip.some(Boolean));
  column("Degenerate", names.degenerate.length);
  column("Language", names.language.length > 1);
  for (const id of ["filters", "case-scroll", "show-all", "show-help"]) $(id).hidden = false;

  form.addEventListener("input", changed);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(changed));
  table.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("[data-sort]");
    if (!head || !event.target.closest("button")) return;
    const by = head.dataset.sort;
    const turned = new Map([[by, `${by}-down`], [`${by}-down`, ""]]);
    state.sort = turned.get(state.sort) ?? by;
    state.page = 1;
    current = -1;
    refresh();
  });
  body.addEventListener("focusin", (event) => {
    const own = event.target.closest("tr[data-case]");
    if (own) current = shown.indexOf(Number(own.dataset.case));
  });
  $("previous").addEventListener("click", () => turn(-1));
  $("next").addEventListener("click", () => turn(1));
  $("show-all").addEventListener("click", () => show(!showAll));
  $("show-help").addEventListener("click", () => $("help").showModal());
  addEventListener("hashchange", follow);
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea");
    const busy = event.ctrlKey || event.metaKey || event.altKey || $("help").open;
    if (busy || (typing && event.key !== "Escape") || !Object.hasOwn(keys, event.key)) return;
    if (event.key !== "Escape") event.preventDefault();
    keys[event.key]();
  });
  const folded = document.querySelectorAll("#provenance details:not(.settings), #comparisons, details.terms");
  addEventListener("beforeprint", () => {
    for (const each of folded) {
      each.dataset.was ??= each.open ? "open" : "";
      each.open = true;
    }
  });
  addEventListener("afterprint", () => {
    for (const each of folded) {
      each.open = Boolean(each.dataset.was);
      delete each.dataset.was;
    }
  });
  if (!follow()) {
    choose();
    render();
  }
})();
