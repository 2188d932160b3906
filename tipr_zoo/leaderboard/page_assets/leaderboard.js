"use strict";

// Tabs, sorting and filtering of the leaderboard. What is chosen stands in the address. Without this script the page is
// the same tables below each other, sorted once.
(() => {
  const form = document.querySelector(".filters");
  const sections = [...document.querySelectorAll("section.data")];
  const links = [...document.querySelectorAll("nav a")];
  const tables = sections.flatMap((section) => [...section.querySelectorAll("table")]);
  const models = tables.flatMap((table) => [...table.tBodies]);
  const first = [...document.querySelectorAll("thead th")].find((header) => header.hasAttribute("aria-sort"));
  const initial = first ? first.dataset.column : "R1";
  const usual = (name) => (["model", "ranks", "extra", "weights", "encoder", "epoch"].includes(name) ? "ascending" : "descending");
  const texts = new Map(models.map((model) => [model, model.textContent.toLowerCase()]));
  let tab = sections.length ? sections[0].dataset.tab : "";
  let sorted = { name: initial, order: usual(initial) };

  const columnOf = (table, name) => [...table.tHead.rows[0].cells].findIndex((cell) => cell.dataset.column === name);

  const compare = (isNumber, direction) => (left, right) => {
    // What is missing comes last, whatever the direction.
    if (left === right) return 0;
    if (left === "") return 1;
    if (right === "") return -1;
    return direction * (isNumber ? Number(left) - Number(right) : left.localeCompare(right, "en"));
  };

  // "CVPR 2023" is sorted by its year.
  const yearFirst = (text) => text.replace(/^(.*) (\d{4})$/, "$2 $1");

  function sort(table, name, order) {
    const index = columnOf(table, name);
    const headers = [...table.tHead.rows[0].cells];
    const isNumber = headers[index].classList.contains("number");
    const byValue = compare(isNumber, order === "ascending" ? 1 : -1);
    const value = (model) => yearFirst(model.rows[0].cells[index].dataset.value || "");
    table.append(...[...table.tBodies].sort((left, right) => byValue(value(left), value(right))));
    headers.forEach((header, i) => {
      if (i === index) header.setAttribute("aria-sort", order);
      else header.removeAttribute("aria-sort");
    });
  }

  function sortAll(name, order) {
    sorted = { name, order };
    tables.forEach((table) => sort(table, name, order));
    form.elements.sort.value = name;
  }

  function addSortButtons(table) {
    for (const header of table.tHead.rows[0].cells) {
      if (header.dataset.column === "source") continue;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => {
        const name = header.dataset.column;
        const other = usual(name) === "descending" ? "ascending" : "descending";
        sortAll(name, header.getAttribute("aria-sort") === usual(name) ? other : usual(name));
        keep();
      });
    }
  }

  function isShown(model, wanted) {
    const { extra, weights, origin, encoder, ranks } = model.dataset;
    const canBeHad = ["yes", "by name"].includes(weights);
    return (
      (!wanted.origin || origin.split(" ").includes(wanted.origin)) &&
      (!wanted.encoder || encoder.toLowerCase().includes(wanted.encoder.toLowerCase())) &&
      (!wanted.weights || (wanted.weights === "had" ? canBeHad : weights === wanted.weights)) &&
      (!wanted.ranks || ranks === wanted.ranks) &&
      (!wanted.extra || (wanted.extra === "any" ? !["none", "?"].includes(extra) : extra === wanted.extra)) &&
      wanted.text.toLowerCase().split(/\s+/).every((word) => texts.get(model).includes(word))
    );
  }

  function filter() {
    const wanted = Object.fromEntries(new FormData(form));
    for (const model of models) model.hidden = !isShown(model, wanted);
    for (const table of tables) {
      const isEmpty = [...table.tBodies].every((model) => model.hidden);
      table.hidden = isEmpty;
      table.previousElementSibling.hidden = isEmpty;
    }
    for (const section of sections) section.toggleAttribute("data-away", section.dataset.tab !== tab);
    links.forEach((link, i) => {
      if (sections[i].dataset.tab === tab) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
    const here = models.filter((model) => model.closest("section").dataset.tab === tab);
    const count = here.filter((model) => !model.hidden).length;
    const elsewhere = models.filter((model) => !model.hidden).length - count;
    form.elements.namedItem("count").value = `${count} of ${here.length} models; ${elsewhere} on other data`;
  }

  // The address holds what is chosen, so that it can be sent to somebody: #tab=RSTPReid&extra=none&sort=mAP
  function keep() {
    const state = new URLSearchParams();
    if (sections.length && tab !== sections[0].dataset.tab) state.set("tab", tab);
    for (const [name, value] of new FormData(form)) if (value && name !== "sort") state.set(name, value);
    if (sorted.name !== initial || sorted.order !== usual(initial)) state.set("sort", sorted.name);
    if (sorted.order !== usual(sorted.name)) state.set("order", sorted.order);
    history.replaceState(null, "", `#${state}`);
    filter();
  }

  function restore() {
    const anchor = decodeURIComponent(location.hash.slice(1));
    const target = anchor && !anchor.includes("=") ? document.getElementById(anchor) : null;
    if (target) {
      const section = target.closest("section.data");
      if (section) tab = section.dataset.tab;
      filter();
      target.hidden = false;
      target.scrollIntoView();
      return;
    }
    const state = new URLSearchParams(location.hash.slice(1));
    const known = sections.map((section) => section.dataset.tab);
    tab = known.includes(state.get("tab")) ? state.get("tab") : known[0] || "";
    for (const field of form.elements) {
      if (!field.name || field.name === "sort" || field.name === "count") continue;
      field.value = state.get(field.name) || "";
      if (field.selectedIndex === -1) field.value = ""; // an address can name what is not there
    }
    const columns = tables.length ? [...tables[0].tHead.rows[0].cells].map((cell) => cell.dataset.column) : [];
    const name = columns.includes(state.get("sort")) && state.get("sort") !== "source" ? state.get("sort") : initial;
    const order = ["ascending", "descending"].includes(state.get("order")) ? state.get("order") : usual(name);
    sortAll(name, order);
    filter();
  }

  tables.forEach(addSortButtons);
  form.hidden = false;
  const legend = document.querySelector("#legend details");
  for (const folded of [form.querySelector("details"), legend]) {
    folded.open = matchMedia("(min-width: 46.01rem)").matches;
  }
  document.querySelector('a[href="#legend"]').addEventListener("click", () => (legend.open = true));
  links.forEach((link, i) => {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      tab = sections[i].dataset.tab;
      keep();
    });
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => {
    if (event.target.name === "sort") sortAll(event.target.value, usual(event.target.value));
    keep();
  });
  form.addEventListener("reset", () => {
    // The fields have their values only after this event.
    setTimeout(() => {
      sortAll(initial, usual(initial));
      keep();
    });
  });
  window.addEventListener("hashchange", restore);
  document.documentElement.dataset.scripted = "";
  restore();
})();
