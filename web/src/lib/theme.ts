export type Theme = "system" | "light" | "dark";

const STORED = "strowger.theme";

export function storedTheme(): Theme {
  const stored = localStorage.getItem(STORED);
  return stored === "light" || stored === "dark" ? stored : "system";
}

export function applyTheme(theme: Theme): void {
  document.documentElement.dataset["theme"] = theme;
  if (theme === "system") localStorage.removeItem(STORED);
  else localStorage.setItem(STORED, theme);
}
