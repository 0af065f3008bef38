// Sets the chosen theme before the first paint, so that no page flashes in the other one: the one blocking script.
// Knows the stored choice. Knows nothing of the switch (theme.ts).
try {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is forbidden: the system's theme holds.
}
document.documentElement.classList.remove("no-script");
