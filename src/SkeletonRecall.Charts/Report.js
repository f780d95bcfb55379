(() => {
  "use strict";
  const root = document.documentElement;
  const colour = name => getComputedStyle(root).getPropertyValue(name).trim();

  // Charts: the data stand in the page; colours and fonts are the page's own and follow it from light to dark.
  const theme = () => {
    const text = colour("--muted"), rule = colour("--rule");
    const look = {
      "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
      "font.color": text, "font.size": 12, "font.family": getComputedStyle(document.body).fontFamily,
      "hoverlabel.bgcolor": colour("--card"), "hoverlabel.bordercolor": rule, "hoverlabel.font.color": colour("--text"),
      "hoverlabel.namelength": -1
    };
    for (const axis of ["xaxis", "yaxis"])
      Object.assign(look, {
        [axis + ".gridcolor"]: rule, [axis + ".linecolor"]: rule, [axis + ".zerolinecolor"]: rule,
        [axis + ".zerolinewidth"]: 1, [axis + ".fixedrange"]: true, [axis + ".nticks"]: 6, [axis + ".automargin"]: true
      });
    look["xaxis.showgrid"] = false;
    look["xaxis.zeroline"] = false;
    return look;
  };
  const plots = [...document.querySelectorAll(".plot")];
  for (const plot of plots) {
    const figure = JSON.parse(document.getElementById(plot.dataset.figure).textContent);
    Plotly.newPlot(plot, figure.data, figure.layout, { displayModeBar: false })
      .then(() => Plotly.relayout(plot, theme()))
      .then(() => new ResizeObserver(() => Plotly.Plots.resize(plot)).observe(plot));
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    plots.forEach(plot => Plotly.relayout(plot, theme())));

  // Tables: a click on a header sorts by its column, a second one the other way; what has no value stays last.
  for (const table of document.querySelectorAll("table.sortable")) {
    const headers = [...table.tHead.rows[0].cells];
    headers.forEach((header, column) => {
      const button = header.querySelector("button");
      button.addEventListener("click", () => {
        const now = header.getAttribute("aria-sort");
        const order = now ? (now === "ascending" ? "descending" : "ascending") : header.dataset.first;
        headers.forEach(other => other.removeAttribute("aria-sort"));
        header.setAttribute("aria-sort", order);
        const sign = order === "ascending" ? 1 : -1;
        const key = row => row.cells[column].dataset.value;
        const compare = (a, b) => {
          const x = key(a), y = key(b);
          if (x === undefined) return sign * a.cells[column].textContent.localeCompare(b.cells[column].textContent, undefined, { numeric: true });
          if (x === "" || y === "") return (x === "") - (y === "");
          return sign * (Number(x) - Number(y));
        };
        const body = table.tBodies[0];
        body.append(...[...body.rows].sort(compare));
      });
    });
  }

  // Pictures: a click shows one over the whole width.
  for (const picture of document.querySelectorAll(".picture"))
    picture.addEventListener("click", () =>
      picture.setAttribute("aria-pressed", String(picture.closest("figure").classList.toggle("large"))));
})();
