// Ticks all boxes of a group's list at once, and unticks them again.
// Knows boxes and the button beside them. Knows nothing of what is ticked.
import { each } from "./dom";

export const connect = each<HTMLButtonElement>("[data-tick-all]", (button) => {
  button.addEventListener("click", () => {
    const boxes = [...(button.closest("fieldset")?.querySelectorAll<HTMLInputElement>("li input[type=checkbox]") ?? [])];
    const tick = boxes.some((box) => !box.checked);
    for (const box of boxes) box.checked = tick;
    button.textContent = tick ? "Untick all" : "Tick all";
  });
});
