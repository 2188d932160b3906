"use strict";

// Sorting and filtering of the leaderboard. Without this script the page is the same tables, sorted once.
(() => {
  const form = document.querySelector(".filters");
  const tables = [...document.querySelectorAll("table")];
  const rows = tables.flatMap((table) => [...table.tBodies[0].rows]);
  const first = [...document.querySelectorAll("thead th")].find((header) => header.hasAttribute("aria-sort"));
  const initial = first ? first.dataset.column : "R1";

  const columnOf = (table, name) => [...table.tHead.rows[0].cells].findIndex((cell) => cell.dataset.column === name);

  const compare = (isNumber, direction) => (left, right) => {
    // What is missing comes last, whatever the direction.
    if (left === right) return 0;
    if (left === "") return 1;
    if (right === "") return -1;
    return direction * (isNumber ? Number(left) - Number(right) : left.localeCompare(right, "en"));
  };

  function sort(table, name, order) {
    const index = columnOf(table, name);
    const headers = [...table.tHead.rows[0].cells];
    const isNumber = headers[index].classList.contains("number");
    const byValue = compare(isNumber, order === "ascending" ? 1 : -1);
    const value = (row) => row.cells[index].dataset.value;
    const sorted = [...table.tBodies[0].rows].sort((left, right) => byValue(value(left), value(right)));
    table.tBodies[0].append(...sorted);
    headers.forEach((header, i) => {
      if (i === index) header.setAttribute("aria-sort", order);
      else header.removeAttribute("aria-sort");
    });
  }

  function addSortButtons(table) {
    for (const header of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => {
        const usual = header.classList.contains("number") ? "descending" : "ascending";
        const other = usual === "descending" ? "ascending" : "descending";
        sort(table, header.dataset.column, header.getAttribute("aria-sort") === usual ? other : usual);
      });
    }
  }

  function isShown(row, wanted) {
    const extra = row.dataset.extra;
    return (
      (!wanted.dataset || row.dataset.dataset === wanted.dataset) &&
      (!wanted.origin || row.dataset.origin === wanted.origin) &&
      (!wanted.encoder || row.dataset.encoder === wanted.encoder) &&
      (!wanted.weights || row.dataset.weights === wanted.weights) &&
      (!wanted.extra || (wanted.extra === "any" ? !["none", "?"].includes(extra) : extra === wanted.extra)) &&
      wanted.text.toLowerCase().split(/\s+/).every((word) => row.textContent.toLowerCase().includes(word))
    );
  }

  function filter() {
    const wanted = Object.fromEntries(new FormData(form));
    for (const row of rows) row.hidden = !isShown(row, wanted);
    for (const table of tables) {
      table.closest("section").hidden = [...table.tBodies[0].rows].every((row) => row.hidden);
    }
    const count = rows.filter((row) => !row.hidden).length;
    form.querySelector("output").value = `${count} of ${rows.length} rows`;
  }

  tables.forEach(addSortButtons);
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => {
    if (event.target.name === "sort") {
      const usual = event.target.value === "model" ? "ascending" : "descending";
      tables.forEach((table) => sort(table, event.target.value, usual));
    }
    filter();
  });
  form.addEventListener("reset", () => {
    // The fields have their values only after this event.
    setTimeout(() => {
      tables.forEach((table) => sort(table, initial, "descending"));
      filter();
    });
  });
  filter();
})();
