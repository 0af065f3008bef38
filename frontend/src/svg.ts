// Makes pieces of SVG charts, and finds round numbers for their axes. Knows nothing of what they show.

const NAMESPACE = "http://www.w3.org/2000/svg";

export function element<Name extends keyof SVGElementTagNameMap>(name: Name, attributes: Record<string, string | number>): SVGElementTagNameMap[Name] {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

export function label(text: string, x: number, y: number, anchor: string): SVGTextElement {
  const made = element("text", { x, y, "text-anchor": anchor });
  made.textContent = text;
  return made;
}

/** Round numbers between `low` and `high`, about `wanted` of them. */
export function ticks(low: number, high: number, wanted: number): number[] {
  const step = gap(low, high, wanted);
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, index) => (first + index) * step);
}

/** The round distance between such numbers. */
export function gap(low: number, high: number, wanted: number): number {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
}

/** As many digits as tell such numbers apart. */
export function digits(step: number): number {
  return Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
}

/** Draws into `place` at its width, now and whenever that changes, so that letters keep their size on a phone. Returns
 *  a function that draws it anew. */
export function drawAtWidth(place: HTMLElement, draw: (width: number) => SVGSVGElement): () => void {
  let width = 0;
  let waiting = false;
  const now = () => place.clientWidth && place.replaceChildren(draw(place.clientWidth));
  const show = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      now();
    });
  };
  now(); // a page that is swapped in must not jump
  new ResizeObserver(() => {
    if (place.clientWidth !== width) show();
    width = place.clientWidth;
  }).observe(place);
  return show;
}
