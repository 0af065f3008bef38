// Files for an upload: dropped or picked, counted before they are sent, and their way watched.
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
    event.preventDefault();
    if (tell(form, input)) send(form);
  });
  // Back from the next page, a browser may show this one as it was left.
  addEventListener("pageshow", () => show(form, false));
});

/** Send the form as a browser would, but say how far it is. */
function send(form: HTMLFormElement): void {
  const bar = form.querySelector<HTMLProgressElement>("[data-sending] progress");
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.upload.addEventListener("progress", (event) => {
    if (!bar || !event.lengthComputable) return;
    bar.max = event.total;
    bar.value = event.loaded;
  });
  request.addEventListener("load", () => {
    const there = new URL(request.responseURL || form.action, location.href);
    if (request.status < 400 && there.pathname !== new URL(form.action).pathname) {
      location.assign(there);
    } else {
      show(form, false);
      complain(form, request.status === 413 ? "That is more than the server takes at once. Send fewer files." : "The server did not take the files. Reload the page and try again.");
    }
  });
  request.addEventListener("error", () => {
    show(form, false);
    complain(form, "The upload broke off. Look at the connection and send the files again.");
  });
  show(form, true);
  request.send(new FormData(form));
}

function show(form: HTMLFormElement, sending: boolean): void {
  form.querySelector("[data-sending]")?.toggleAttribute("hidden", !sending);
  form.querySelector("button[type=submit]")?.toggleAttribute("disabled", sending);
}

function complain(form: HTMLFormElement, problem: string): void {
  const place = form.querySelector<HTMLElement>("[data-problem]");
  if (!place) return;
  place.textContent = problem;
  place.hidden = !problem;
}

/** Say how much was chosen, or what is wrong with it; whether it may be sent. */
function tell(form: HTMLFormElement, input: HTMLInputElement): boolean {
  const most = Number(form.dataset.most);
  const largest = Number(form.dataset.largest);
  const files = [...(input.files ?? [])];
  const bytes = files.reduce((sum, file) => sum + file.size, 0);
  let problem =
    files.length > most ? `These are ${files.length.toLocaleString("en-GB")} files; up to ${most.toLocaleString("en-GB")} can be sent at once.` : "";
  const large = files.find((file) => file.size > largest);
  if (large) problem = `${large.name} has ${size(large.size)}; up to ${size(largest)} can be sent.`;
  complain(form, problem);
  const chosen = form.querySelector("[data-chosen]");
  if (chosen) chosen.textContent = files.length ? `${files.length} file${files.length > 1 ? "s" : ""}, ${size(bytes)}` : "";
  return !problem;
}

function size(bytes: number): string {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
