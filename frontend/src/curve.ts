// Draws the curves of a training: held-out bits per byte beside the base model's, and the training loss beneath.
// Knows scales and SVG. Knows nothing of where the figures come from; colours are chart.css's.

import { digits, element, gap, label, ticks } from "./svg";

export type Point = [step: number, value: number];

export interface Curves {
  base: number | null;
  steps: number | null;
  losses: Point[];
  heldOut: Point[];
}

interface Panel {
  title: string;
  top: number;
  height: number;
  low: number;
  high: number;
  digits: number;
}

const MARGIN = { left: 46, right: 8, title: 22, axis: 26, between: 18 };
const TICKS = 4;
const HEIGHTS = { heldOut: 190, loss: 96 };

/** An SVG as wide as its surroundings, so that its letters keep their size on a phone. */
export function draw(curves: Curves, width: number): SVGSVGElement {
  const heldOut = panel("Bits per byte", 0, HEIGHTS.heldOut, withBase(curves));
  const loss = panel("Training loss", heldOut.top + HEIGHTS.heldOut + MARGIN.between, HEIGHTS.loss, values(curves.losses));
  const height = loss.top + HEIGHTS.loss + MARGIN.axis;
  const last = Math.max(curves.steps ?? 0, ...[...curves.losses, ...curves.heldOut].map(([step]) => step), 1);
  const x = (step: number) => MARGIN.left + (step / last) * (width - MARGIN.left - MARGIN.right);

  const svg = element("svg", {
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": "Curves of the training. The table below has the same figures.",
  });
  for (const each of [heldOut, loss]) svg.append(frame(each, width));
  if (curves.base !== null) {
    const y = scale(heldOut)(curves.base);
    svg.append(element("line", { class: "chart__base", x1: MARGIN.left, x2: width - MARGIN.right, y1: y, y2: y }));
    svg.append(label("Base model", width - MARGIN.right, y - 6, "end"));
  }
  svg.append(line(curves.losses, x, scale(loss), "chart__line"));
  // Before its first step a voice is the base model.
  const start: Point[] = curves.base === null ? [] : [[0, curves.base]];
  svg.append(line([...start, ...curves.heldOut], x, scale(heldOut), "chart__line chart__line--held-out"));
  for (const [step, value] of curves.heldOut) {
    svg.append(element("circle", { class: "chart__dot", cx: x(step), cy: scale(heldOut)(value), r: 3.5 }));
  }
  for (const step of ticks(0, last, width < 480 ? 3 : 6)) {
    if (Number.isInteger(step)) svg.append(label(String(step), x(step), height - 6, step === 0 ? "start" : step === last ? "end" : "middle"));
  }
  svg.append(label("Step", MARGIN.left - 10, height - 6, "end"));
  return svg;
}

function withBase(curves: Curves): number[] {
  return curves.base === null ? values(curves.heldOut) : [...values(curves.heldOut), curves.base];
}

function values(points: Point[]): number[] {
  return points.map(([, value]) => value);
}

function panel(title: string, top: number, height: number, shown: number[]): Panel {
  let low = shown.length ? Math.min(...shown) : 0;
  let high = shown.length ? Math.max(...shown) : 1;
  // Room above and below; and a difference that means nothing must not fill the panel.
  const room = Math.max((high - low) * 0.15, high * 0.01);
  low -= room;
  high += room;
  const step = gap(low, high, TICKS);
  return { title, top, height, low, high, digits: digits(step) };
}

function scale({ top, height, low, high }: Panel): (value: number) => number {
  const first = top + MARGIN.title;
  return (value) => first + ((high - value) / (high - low)) * (top + height - first);
}

function frame(shown: Panel, width: number): SVGGElement {
  const group = element("g", {});
  const y = scale(shown);
  group.append(label(shown.title, 0, shown.top + 10, "start"));
  for (const tick of ticks(shown.low, shown.high, TICKS)) {
    group.append(element("line", { class: "chart__grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(tick), y2: y(tick) }));
    group.append(label(tick.toFixed(shown.digits), MARGIN.left - 10, y(tick) + 4, "end"));
  }
  return group;
}

function line(points: Point[], x: (step: number) => number, y: (value: number) => number, name: string): SVGPathElement {
  const path = points.map(([step, value], index) => `${index ? "L" : "M"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`);
  return element("path", { class: name, d: path.join("") });
}
