/** Black or white: what is read better on a colour (`#rrggbb`), by WCAG 2.2's relative luminance. */
export function onColour(colour: string): string {
  const part = (at: number) => {
    const value = parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  const luminance = 0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5);
  return luminance > 0.179 ? "#000000" : "#ffffff";
}

/** The letters of a kind that every browser has. */
export function letters(font: "system" | "sans" | "serif" | "rounded"): string {
  return {
    system: "system-ui, sans-serif",
    sans: "Arial, Helvetica, sans-serif",
    serif: "Georgia, 'Times New Roman', serif",
    rounded: "ui-rounded, 'Arial Rounded MT Bold', Nunito, system-ui, sans-serif",
  }[font];
}
