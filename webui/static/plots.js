// Redraws each plot of the page with uPlot, which shows the values under the pointer. The SVG that came with the page
// stays for print, for forced colours, and without JavaScript. The table beside it has every value.

const Plot = globalThis.uPlot;
const language = document.documentElement.lang;
const places = new Intl.NumberFormat(language, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const percent = (share) => `${places.format(100 * share)}\u00a0%`; // as the axes and tables write it
const plain = new Intl.NumberFormat(language, { maximumSignificantDigits: 4 });
const tell = {
  errors: (place) => percent(1 - 10 ** -place),
  share: (place) => percent(place),
  log: (place) => plain.format(10 ** place),
  plain: (place) => plain.format(place),
};
const DASHES = [[], [7, 3], [2, 3.5], [9, 3, 2, 3], [4, 2], [12, 4]];
const forced = matchMedia("(forced-colors: active)");
const drawn = [];

function axis(figure, data, side, font, size) {
  const style = getComputedStyle(figure);
  const ticks = data.ticks.map(([place]) => place);
  const fixed = data.scale !== "plain" || side === "y" || figure.matches(".panel");
  return {
    stroke: style.getPropertyValue("--soft"),
    grid: { stroke: style.getPropertyValue("--line"), width: 1, show: side === "y" },
    ticks: { show: false },
    font,
    size,
    gap: side === "y" ? 6 : 4,
    ...(side === "x" && !figure.matches(".panel") ? { label: data.title, labelFont: font, labelSize: 1.2 * size, labelGap: 0 } : {}),
    ...(fixed
      ? { splits: ticks, values: (_, places) => places.map((place) => data.ticks[ticks.indexOf(place)]?.[1] ?? "") }
      : { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000], values: (_, places) => places.map((place) => plain.format(place)) }),
  };
}

function draw(figure) {
  const data = JSON.parse(figure.dataset.plot);
  const canvas = figure.querySelector(".canvas");
  const drawing = canvas.querySelector(".drawing");
  const style = getComputedStyle(figure);
  const pixels = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const panel = figure.matches(".panel");
  const outputs = [...figure.querySelectorAll(".legend output")];
  const readout = figure.querySelector("h3 small");
  const unit = readout?.textContent;
  const colour = (line) => style.getPropertyValue(`--s${line.colour}`).trim();
  const zooms = data.x.scale === "plain" && !panel;
  const { width, height } = drawing.getBoundingClientRect();
  const font = `${Math.round(pixels * (panel ? 0.7 : 0.78))}px ${style.fontFamily}`;

  const whiskers = (plot, at) => {
    const line = data.lines[at - 1];
    if (!line?.lows) return;
    plot.ctx.save();
    plot.ctx.strokeStyle = colour(line);
    plot.ctx.globalAlpha = 0.65;
    plot.ctx.lineWidth = 1.4 * devicePixelRatio;
    plot.ctx.beginPath();
    data.xs.forEach((x, i) => {
      if (line.lows[i] === null) return;
      plot.ctx.moveTo(plot.valToPos(x, "x", true), plot.valToPos(line.lows[i], "y", true));
      plot.ctx.lineTo(plot.valToPos(x, "x", true), plot.valToPos(line.highs[i], "y", true));
    });
    plot.ctx.stroke();
    plot.ctx.restore();
  };
  const dots = (plot, at) => {
    const line = data.lines[at - 1];
    if (!line?.shape) return;
    const shape = new Path2D(line.shape);
    data.xs.forEach((x, i) => {
      if (line.ys[i] === null) return;
      plot.ctx.save();
      plot.ctx.translate(plot.valToPos(x, "x", true), plot.valToPos(line.ys[i], "y", true));
      plot.ctx.scale(4 * devicePixelRatio, 4 * devicePixelRatio);
      plot.ctx.fillStyle = colour(line);
      plot.ctx.fill(shape);
      plot.ctx.restore();
    });
  };
  const diagonal = (plot) => {
    if (!data.diagonal) return;
    plot.ctx.save();
    plot.ctx.strokeStyle = style.getPropertyValue("--edge");
    plot.ctx.lineWidth = 1.2 * devicePixelRatio;
    plot.ctx.setLineDash([2 * devicePixelRatio, 4 * devicePixelRatio]);
    plot.ctx.beginPath();
    plot.ctx.moveTo(plot.valToPos(0, "x", true), plot.valToPos(0, "y", true));
    plot.ctx.lineTo(plot.valToPos(1, "x", true), plot.valToPos(1, "y", true));
    plot.ctx.stroke();
    plot.ctx.restore();
  };
  const said = (plot) => {
    const at = plot.cursor.idx;
    const there = at !== null && at !== undefined && plot.cursor.left >= 0;
    const texts = data.lines.map((line) => (there && line.ys[at] !== null ? tell[data.y.scale](line.ys[at]) : ""));
    outputs.forEach((output, i) => (output.textContent = texts[i] ? `${tell[data.x.scale](data.xs[at])}: ${texts[i]}` : ""));
    if (panel) readout.textContent = there && data.lines.length === 1 ? texts[0] : unit;
  };

  const button = canvas.querySelector(".whole");
  const ends = [Math.min(...data.xs), Math.max(...data.xs)];
  const part = (plot) => {
    const { min, max } = plot.scales.x;
    if (button) button.hidden = !zooms || (min <= ends[0] && max >= ends[1]);
  };

  const plot = new Plot(
    {
      width,
      height,
      legend: { show: false },
      cursor: { y: false, drag: { x: zooms, y: false }, points: { size: 7 } },
      scales: {
        x: { time: false, ...(zooms ? { min: data.x.low, max: data.x.high } : { range: [data.x.low, data.x.high] }) },
        y: { range: [data.y.low, data.y.high] },
      },
      axes: [axis(figure, data.x, "x", font, pixels * 1.5), axis(figure, data.y, "y", font, pixels * (0.9 + 0.45 * Math.max(...data.y.ticks.map(([, text]) => text.length))))],
      padding: [pixels * 0.5, pixels * (data.x.scale === "share" ? 1.4 : 0.8), 0, 0],
      series: [
        {},
        ...data.lines.map((line) => ({
          label: line.name,
          stroke: colour(line),
          width: line.dashed ? 1.6 : 2,
          dash: DASHES[line.colour - 1],
          spanGaps: true,
          ...(line.shape ? { paths: () => null } : {}),
          points: { show: line.dots && !line.shape, size: 6, fill: colour(line), stroke: colour(line) },
        })),
      ],
      hooks: { drawAxes: [diagonal], drawSeries: [whiskers, dots], setScale: [part], setCursor: [said] },
    },
    [data.xs, ...data.lines.map((line) => line.ys)],
  );
  drawing.setAttribute("hidden", "");
  plot.root.setAttribute("role", "img");
  plot.root.setAttribute("aria-labelledby", drawing.getAttribute("aria-labelledby"));
  canvas.prepend(plot.root);
  const whole = () => plot.setScale("x", { min: data.x.low, max: data.x.high });
  if (button) button.onclick = () => {
    whole();
    figure.tabIndex = -1;
    figure.focus({ preventScroll: true }); // the button is hidden now
  };
  return { plot, drawing, button, whole };
}

function all() {
  while (drawn.length) {
    const { plot, drawing, button } = drawn.pop();
    plot.destroy();
    if (button) button.hidden = true;
    drawing.removeAttribute("hidden");
  }
  if (forced.matches || !Plot) return;
  for (const figure of document.querySelectorAll("figure[data-plot]")) drawn.push(draw(figure));
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") for (const { button, whole } of drawn) if (button && !button.hidden) whole();
});

let width = document.documentElement.clientWidth;
let waiting;
addEventListener("resize", () => {
  if (document.documentElement.clientWidth === width) return;
  width = document.documentElement.clientWidth;
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(all);
});
for (const query of [matchMedia("(prefers-color-scheme: dark)"), forced]) query.addEventListener("change", all);
all();
