// Buttons that copy: <button data-copy="#id"> puts that element's text on the clipboard and says so.
// Knows the clipboard. Knows nothing of what is copied.
import { each } from "./dom";

const SAID_FOR = 2000; // ms

export const connect = each<HTMLButtonElement>("button[data-copy]", (button) => {
  const label = button.textContent;
  button.addEventListener("click", async () => {
    const source = document.querySelector<HTMLElement>(button.dataset.copy ?? "");
    if (!source) return;
    button.textContent = (await copied(source)) ? "Copied" : "Selected";
    setTimeout(() => (button.textContent = label), SAID_FOR);
  });
});

/** Only secure pages have a clipboard: over plain HTTP from another machine the text is selected instead. */
async function copied(source: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(source.textContent?.trim() ?? "");
    return true;
  } catch {
    getSelection()?.selectAllChildren(source);
    return false;
  }
}
