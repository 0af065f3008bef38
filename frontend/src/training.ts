// A training as it goes: its events over SSE, its figures and curves on the page.
// Knows which events change a figure and which change the page. Knows no wording: the server sends figures in words.
import htmx from "htmx.org";
import { type Curves, draw } from "./curve";
import { each } from "./dom";
import { drawAtWidth } from "./svg";

interface Told {
  seq: number;
  kind: string;
  step: number;
  steps: number;
  loss: number;
  bits_per_byte: number;
  words: Record<string, string>;
}

interface Standing {
  state: string;
  words: string;
}

interface Chart {
  curves: Curves;
  show: () => void;
}

const charts = new WeakMap<HTMLElement, Chart>();

const drawn = each("[data-curves]", (figure) => {
  const place = figure.querySelector<HTMLElement>("[data-drawing]");
  if (!place) return;
  const curves: Curves = JSON.parse(figure.dataset.curves!);
  charts.set(figure, { curves, show: drawAtWidth(place, (width) => draw(curves, width)) });
});

const followed = each("[data-training]", (job) => {
  const figure = job.querySelector<HTMLElement>("[data-curves]");
  const chart = figure && charts.get(figure);
  const source = new EventSource(job.dataset.training!);
  const close = () => source.close();

  source.addEventListener("message", (event) => {
    const told: Told = JSON.parse(event.data);
    if (chart && told.kind === "step" && job.querySelector("[data-progress]")) {
      step(job, told);
      chart.curves.losses.push([told.step, told.loss]);
      chart.show();
    } else if (chart && told.kind === "evaluation") {
      // Of several learning rates that are tried side by side, the one that is ahead is shown.
      const points = chart.curves.heldOut;
      const again = points.at(-1)?.[0] === told.step;
      if (again && points.at(-1)![1] <= told.bits_per_byte) return;
      if (again) points.pop();
      points.push([told.step, told.bits_per_byte]);
      row(job, told, again);
      chart.show();
    } else if (told.kind === "sample") {
      htmx.ajax("get", job.dataset.page!, { target: "#samples", select: "#samples", swap: "outerHTML" });
    } else {
      // Whatever else happens changes more than a figure: the server makes the page anew.
      refresh(job, close);
    }
  });
  source.addEventListener("state", (event) => {
    const { state, words }: Standing = JSON.parse(event.data);
    const place = job.querySelector("[data-place]");
    if (state !== job.dataset.state) refresh(job, close);
    else if (place) place.textContent = words;
  });
  source.addEventListener("error", () => {
    // While it connects again it is not closed, and it goes on from the last event.
    if (source.readyState === EventSource.CLOSED) job.querySelector("[data-lost]")?.removeAttribute("hidden");
  });
  // Its parts are cleaned up too, when they are renewed.
  job.addEventListener("htmx:beforeCleanupElement", (event) => event.target === job && close());
});

function step(job: HTMLElement, told: Told): void {
  const progress = job.querySelector<HTMLProgressElement>("[data-progress]")!;
  progress.max = told.steps;
  progress.value = told.step;
  // The table's rows have words too: only the figures above it are a step's.
  for (const place of job.querySelectorAll<HTMLElement>("output[data-word], dd[data-word]")) {
    place.textContent = told.words[place.dataset.word!] ?? place.textContent;
  }
}

function row(job: HTMLElement, told: Told, replace: boolean): void {
  const made = job.querySelector<HTMLTemplateElement>("template[data-row]")?.content.cloneNode(true);
  if (!(made instanceof DocumentFragment)) return;
  for (const cell of made.querySelectorAll<HTMLElement>("[data-word]")) cell.textContent = told.words[cell.dataset.word!] ?? "";
  const rows = job.querySelector("[data-rows]");
  if (replace) rows?.lastElementChild?.remove();
  rows?.append(made);
}

function refresh(job: HTMLElement, close: () => void): void {
  close();
  const open = job.querySelector("details")?.open;
  htmx.ajax("get", job.dataset.page!, { target: job, select: "#job", swap: "outerHTML" }).then(() => {
    const details = document.querySelector<HTMLDetailsElement>("#job details");
    if (open && details) details.open = true;
  });
}

export function connect(root: HTMLElement): void {
  drawn(root); // before the events, which add to the drawing
  followed(root);
}
