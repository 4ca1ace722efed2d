import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./ui/theme.css";
import "./ui/parts.css";
import "./routes/shell.css";
import { App } from "./app";
import { applyTheme, storedTheme } from "./lib/theme";

applyTheme(storedTheme());

const root = document.getElementById("root");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
