// The drafting page: a text shown as it is written, and the number beside the temperature.
// Knows the stream's events. Knows nothing of how the page around the text is made: the server sends it anew at the end.
import htmx from "htmx.org";
import { each } from "./dom";

interface Written {
  at: number; // in characters, as the server counts them: code points
  text: string;
}

const texts = each("[data-stream]", (article) => {
  const words = article.querySelector<HTMLElement>("[data-words]");
  const status = article.querySelector<HTMLElement>("[data-status]");
  if (!words || !status) return;
  const source = new EventSource(article.dataset.stream!);

  source.addEventListener("text", (event) => {
    show(words, JSON.parse(event.data));
    if (status.textContent !== "Writing") status.textContent = "Writing";
  });
  source.addEventListener("end", () => {
    source.close();
    void finish(article);
  });
  source.addEventListener("error", () => {
    // While it connects again it is not closed; then the stored text comes from its beginning.
    if (source.readyState !== EventSource.CLOSED) return;
    delete words.dataset.writing;
    status.textContent = "The connection was lost: reload the page";
  });
  // "Write again" and leaving take the article away: closing tells the server that nobody reads any more.
  article.addEventListener("htmx:beforeCleanupElement", () => source.close());
  // On a phone the text begins below the form: bring it up to where it can be read.
  if (article.getBoundingClientRect().top > innerHeight / 2) article.scrollIntoView();
});

/** Puts the finished text, with its figures and buttons, in the place of the one being written. */
async function finish(article: HTMLElement): Promise<void> {
  const held = article.contains(document.activeElement); // Stop goes, and the focus must not go with it
  await htmx.ajax("get", article.dataset.page!, { target: article, select: `#${article.id}`, swap: "outerHTML" });
  if (held) document.getElementById(article.id)?.focus({ preventScroll: true });
}

function show(words: HTMLElement, { at, text }: Written): void {
  const shown = words.textContent ?? "";
  const length = words.dataset.length ? Number(words.dataset.length) : [...shown].length;
  // Nearly always the text goes on; a page that was loaded in the middle of it, or lost its connection, gets it anew.
  if (at === length) words.append(text);
  else words.textContent = [...shown].slice(0, at).join("") + text;
  words.normalize();
  words.dataset.length = String(at + [...text].length);
}

const ranges = each("[data-range]", (field) => {
  const input = field.querySelector("input");
  const output = field.querySelector("output");
  input?.addEventListener("input", () => output && (output.value = Number(input.value).toFixed(1)));
});

export function connect(root: HTMLElement): void {
  texts(root);
  ranges(root);
}
