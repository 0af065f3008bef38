// Choosing files for an upload: dropped or picked, counted before they are sent.
// Knows the form's limits. Knows nothing of what is in the files: the import says that, file by file.
import { each } from "./dom";

export const connect = each<HTMLFormElement>("form[data-upload]", (form) => {
  const zone = form.querySelector<HTMLElement>("[data-dropzone]");
  const input = form.querySelector<HTMLInputElement>("input[type=file]");
  if (!zone || !input) return;

  zone.addEventListener("dragover", (event) => {
    event.preventDefault(); // says that files may be dropped here
    zone.dataset.over = "";
  });
  for (const end of ["dragleave", "drop"]) zone.addEventListener(end, () => delete zone.dataset.over);
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    if (!event.dataTransfer?.files.length) return;
    input.files = event.dataTransfer.files;
    tell(form, input);
  });
  input.addEventListener("change", () => tell(form, input));
  form.addEventListener("submit", (event) => {
    if (!tell(form, input)) {
      event.preventDefault();
      return;
    }
    form.querySelector("[data-sending]")?.removeAttribute("hidden");
    form.querySelector("button[type=submit]")?.setAttribute("disabled", "");
  });
  // Back from the next page, a browser may show this one as it was left.
  addEventListener("pageshow", () => {
    form.querySelector("[data-sending]")?.setAttribute("hidden", "");
    form.querySelector("button[type=submit]")?.removeAttribute("disabled");
  });
});

/** Say how much was chosen, or what is wrong with it; whether it may be sent. */
function tell(form: HTMLFormElement, input: HTMLInputElement): boolean {
  const most = Number(form.dataset.most);
  const files = [...(input.files ?? [])];
  const bytes = files.reduce((sum, file) => sum + file.size, 0);
  const problem =
    files.length > most ? `These are ${files.length.toLocaleString("en-GB")} files; up to ${most.toLocaleString("en-GB")} can be sent at once.` : "";
  const place = form.querySelector<HTMLElement>("[data-problem]");
  if (place) {
    place.textContent = problem;
    place.hidden = !problem;
  }
  const chosen = form.querySelector("[data-chosen]");
  if (chosen) chosen.textContent = files.length ? `${files.length} file${files.length > 1 ? "s" : ""}, ${size(bytes)}` : "";
  return !problem;
}

function size(bytes: number): string {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
