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

  // Volumes: points of both skeletons, seen along the depth axis of a box that turns. No WebGL: a few thousand points.
  for (const canvas of document.querySelectorAll(".space")) {
    const data = JSON.parse(document.getElementById(canvas.dataset.space).textContent);
    const side = data.size.map((count, axis) => count * data.spacing[axis]);
    const reach = Math.hypot(...side) / 2 || 1;
    // In mm around the middle of the box.
    const centred = (place, axis) => (place + 0.5) * data.spacing[axis] - side[axis] / 2;
    const points = [];
    for (const group of data.groups) {
      const bytes = Uint8Array.from(atob(group.points), letter => letter.charCodeAt(0));
      const places = new Uint16Array(bytes.buffer);
      for (let at = 0; at < places.length; at += 3)
        points.push({ at: [0, 1, 2].map(axis => centred(places[at + axis], axis)), colour: group.colour, depth: 0 });
    }
    const marks = data.marks.map(([kind, ...place]) => ({ kind, at: place.map(centred) }));
    let yaw = -0.6, pitch = -0.45, zoom = 1;

    const draw = () => {
      const ratio = devicePixelRatio || 1, wide = canvas.clientWidth, high = canvas.clientHeight;
      if (!wide || !high) return;
      canvas.width = Math.round(wide * ratio);
      canvas.height = Math.round(high * ratio);
      const pen = canvas.getContext("2d");
      pen.scale(ratio, ratio);
      const scale = zoom * 0.47 * Math.min(wide, high) / reach;
      const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
      // The slowest axis points up.
      const seen = ([x, y, z]) => {
        const right = cy * x - sy * y, away = sy * x + cy * y;
        return [wide / 2 + scale * right, high / 2 - scale * (cp * z - sp * away), sp * z + cp * away];
      };
      pen.strokeStyle = "rgba(255,255,255,0.22)";
      pen.lineWidth = 1;
      pen.beginPath();
      for (let corner = 0; corner < 8; corner++)
        for (let axis = 0; axis < 3; axis++)
          if (!(corner >> axis & 1)) {
            const end = which => seen([0, 1, 2].map(other => (which >> other & 1 ? 0.5 : -0.5) * side[other]));
            const [x0, y0] = end(corner), [x1, y1] = end(corner | 1 << axis);
            pen.moveTo(x0, y0);
            pen.lineTo(x1, y1);
          }
      pen.stroke();
      for (const point of points) {
        point.seen = seen(point.at);
        point.depth = point.seen[2];
      }
      points.sort((a, b) => b.depth - a.depth);
      const size = Math.max(2, Math.min(7, scale * Math.min(...data.spacing)));
      for (const point of points) {
        pen.globalAlpha = Math.max(0.45, Math.min(1, 0.75 - 0.45 * point.depth / reach));
        pen.fillStyle = point.colour;
        pen.fillRect(point.seen[0] - size / 2, point.seen[1] - size / 2, size, size);
      }
      pen.globalAlpha = 1;
      pen.lineWidth = 2;
      for (const mark of marks) {
        const [x, y] = seen(mark.at);
        pen.beginPath();
        if (mark.kind === "break") {
          pen.strokeStyle = "#ffffff";
          pen.setLineDash([]);
          pen.arc(x, y, 9, 0, 2 * Math.PI);
        } else {
          pen.strokeStyle = "#ffe828";
          pen.setLineDash([5, 3]);
          pen.moveTo(x, y - 11); pen.lineTo(x + 11, y); pen.lineTo(x, y + 11); pen.lineTo(x - 11, y); pen.closePath();
        }
        pen.stroke();
      }
      pen.setLineDash([]);
      canvas.dataset.drawn = String(points.length);
    };
    const turn = (right, up) => {
      yaw += right;
      pitch = Math.max(-1.57, Math.min(1.57, pitch + up));
      draw();
    };
    canvas.addEventListener("pointerdown", event => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener("pointermove", event => {
      if (event.buttons & 1) turn(-event.movementX / 120, -event.movementY / 120);
    });
    canvas.addEventListener("wheel", event => {
      event.preventDefault();
      zoom = Math.max(0.5, Math.min(20, zoom * Math.exp(-event.deltaY / 500)));
      draw();
    }, { passive: false });
    canvas.addEventListener("keydown", event => {
      const step = { ArrowLeft: [0.15, 0], ArrowRight: [-0.15, 0], ArrowUp: [0, 0.15], ArrowDown: [0, -0.15] }[event.key];
      if (!step) return;
      event.preventDefault();
      turn(...step);
    });
    new ResizeObserver(draw).observe(canvas);
    draw();
  }

  // Pictures: a click shows one over the whole width.
  for (const picture of document.querySelectorAll(".picture"))
    picture.addEventListener("click", () =>
      picture.setAttribute("aria-pressed", String(picture.closest("figure").classList.toggle("large"))));
})();
