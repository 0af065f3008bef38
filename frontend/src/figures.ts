// Draws tables of figures: bars for shares, points over years, bars to both sides for differences. The table is the
// chart's twin and its only source. Knows rows and scales. Knows nothing of what the figures mean; colours are chart.css's.
import { each } from "./dom";
import { digits, drawAtWidth, element, gap, label, ticks } from "./svg";

interface Row {
  name: string;
  value: number | null;
  shown: string; // as the table has it
}

type Draw = (rows: Row[], width: number) => SVGSVGElement;

const HEIGHT = 190;
const AXIS = 24;
const LETTER = 7; // about as wide as one of an axis

/** Bars on one line, the greatest as high as the chart. */
function bars(rows: Row[], width: number): SVGSVGElement {
  const most = Math.max(...rows.map(({ value }) => value ?? 0), 1e-9);
  const step = width / rows.length;
  const svg = canvas(width, HEIGHT);
  // Where ranges would run into each other, where each begins is enough.
  const crowded = rows.some(({ name }) => (name.length + 1) * LETTER > step && !name.includes(" "));
  rows.forEach(({ name, value, shown }, index) => {
    const height = ((value ?? 0) / most) * (HEIGHT - AXIS - 20);
    const y = HEIGHT - AXIS - height;
    const middle = (index + 0.5) * step;
    svg.append(element("rect", { class: "chart__bar", x: index * step + step * 0.1, y, width: step * 0.8, height }));
    svg.append(label(shown, middle, y - 6, "middle"));
    const short = name.replace(/ or more$/, "+");
    svg.append(label(crowded ? short.replace(/–.*/, "") : short, middle, HEIGHT - 6, "middle"));
  });
  return svg;
}

/** Points joined by a line; a year without a figure leaves a gap. */
function years(rows: Row[], width: number): SVGSVGElement {
  const known = rows.filter((row): row is Row & { value: number } => row.value !== null);
  const years = rows.map(({ name }) => Number(name));
  const [first, last] = [Math.min(...years), Math.max(...years)];
  let low = Math.min(...known.map(({ value }) => value));
  let high = Math.max(...known.map(({ value }) => value));
  const room = Math.max((high - low) * 0.2, Math.abs(high) * 0.1, 1e-6); // a difference that means nothing must not fill it
  low = low >= 0 ? Math.max(0, low - room) : low - room;
  high += room;
  const round = gap(low, high, 4);
  const left = 12 + LETTER * Math.max(...ticks(low, high, 4).map((tick) => tick.toFixed(digits(round)).length));
  const x = (year: number) => left + 8 + ((year - first) / Math.max(1, last - first)) * (width - left - 24);
  const y = (value: number) => 10 + ((high - value) / (high - low)) * (HEIGHT - AXIS - 10);
  const svg = canvas(width, HEIGHT);
  for (const tick of ticks(low, high, 4)) {
    svg.append(element("line", { class: "chart__grid", x1: left, x2: width, y1: y(tick), y2: y(tick) }));
    svg.append(label(tick.toFixed(digits(round)), left - 8, y(tick) + 4, "end"));
  }
  let path = "";
  for (const [index, { name, value }] of rows.entries()) {
    if (value === null) continue;
    const before = rows[index - 1];
    const joined = before !== undefined && before.value !== null && Number(name) - Number(before.name) === 1;
    path += `${joined ? "L" : "M"}${x(Number(name)).toFixed(1)} ${y(value).toFixed(1)}`;
  }
  svg.append(element("path", { class: "chart__line chart__line--held-out", d: path }));
  for (const { name, value, shown } of known) {
    const dot = element("circle", { class: "chart__dot", cx: x(Number(name)), cy: y(value), r: 4 });
    const title = element("title", {});
    title.textContent = `${name}: ${shown}`;
    dot.append(title);
    svg.append(dot);
  }
  for (const year of ticks(first, last, Math.max(1, Math.min(last - first, width / 70)))) {
    if (Number.isInteger(year)) svg.append(label(String(year), x(year), HEIGHT - 6, "middle"));
  }
  return svg;
}

/** Bars to the left for less and to the right for more, one under the other, each under its name. */
function differences(rows: Row[], width: number): SVGSVGElement {
  const line = 38;
  const most = Math.max(...rows.map(({ value }) => Math.abs(value ?? 0)), 1);
  const middle = width / 2;
  const svg = canvas(width, rows.length * line);
  svg.append(element("line", { class: "chart__grid", x1: middle, x2: middle, y1: 0, y2: rows.length * line }));
  rows.forEach(({ name, value, shown }, index) => {
    const size = ((value ?? 0) / most) * (middle - 48);
    const y = index * line + 18;
    svg.append(label(name, 0, y - 4, "start"));
    svg.append(element("rect", { class: "chart__bar", x: Math.min(middle, middle + size), y, width: Math.abs(size), height: 12 }));
    svg.append(label(`${size > 0 ? "+" : ""}${shown}`, middle + size + (size > 0 ? 6 : -6), y + 10, size > 0 ? "start" : "end"));
  });
  return svg;
}

function canvas(width: number, height: number): SVGSVGElement {
  return element("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Drawn from the table below." });
}

function rowsOf(table: HTMLElement): Row[] {
  return [...table.querySelectorAll<HTMLTableRowElement>("tbody tr")].map((row) => {
    // The figure that is drawn is the row's last one that says what it is worth.
    const cell = [...row.cells].filter((each) => each.dataset.value !== undefined).at(-1);
    const shown = cell?.textContent?.trim() ?? "";
    return { name: row.cells[0]?.textContent?.trim() ?? "", value: cell ? Number(cell.dataset.value) : null, shown };
  });
}

function drawn(kind: string, draw: Draw): (root: HTMLElement) => void {
  return each(`[data-${kind}]`, (figure) => {
    const place = figure.querySelector<HTMLElement>("[data-drawing]");
    const table = document.getElementById(figure.dataset[kind]!);
    const rows = table ? rowsOf(table) : [];
    if (place && rows.some(({ value }) => value !== null)) drawAtWidth(place, (width) => draw(rows, width));
  });
}

const kinds = [drawn("bars", bars), drawn("years", years), drawn("differences", differences)];

export function connect(root: HTMLElement): void {
  for (const draw of kinds) draw(root);
}
