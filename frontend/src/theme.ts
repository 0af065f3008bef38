// The switch between the system's theme, light and dark: radio buttons inside [data-theme-switch].
// Knows where the choice is stored (theme-early.ts reads it). Knows no colours.
import { each } from "./dom";

const STORED = "theme";

export const connect = each("[data-theme-switch]", (group) => {
  const current = document.documentElement.dataset.theme ?? "system";
  for (const radio of group.querySelectorAll<HTMLInputElement>("input[type=radio]")) {
    radio.checked = radio.value === current;
    radio.addEventListener("change", () => choose(radio.value));
  }
});

function choose(theme: string): void {
  const page = document.documentElement;
  if (theme === "system") delete page.dataset.theme;
  else page.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem(STORED);
    else localStorage.setItem(STORED, theme);
  } catch {
    // Storage is forbidden: the choice holds for this page only.
  }
}
