import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [react()],
  build: { target: "es2023", sourcemap: false, chunkSizeWarningLimit: 800 },
  server: {
    proxy: { "/v1": { target: process.env["STROWGER_API"] ?? "http://127.0.0.1:8080" } },
  },
  test: {
    environment: "jsdom",
    globals: true,
    restoreMocks: true,
    unstubGlobals: true,
    setupFiles: ["src/test_setup.ts"],
    include: ["src/**/*.test.{ts,tsx}"],
  },
});
