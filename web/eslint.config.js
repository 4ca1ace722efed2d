import reactHooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

const features = ["accounts", "calls", "home", "numbers", "scheduled_calls", "session"];

/** Run from the folder above, so that tests/browser is within reach. The lower a folder stands, the fewer it may name: ui, lib, api ← features ← routes. */
const directions = [
  { files: ["web/src/ui/**", "web/src/lib/**"], above: ["api", "features", "routes", "app"] },
  { files: ["web/src/api/**"], above: ["ui", "features", "routes", "app"] },
  ...features.map((feature) => ({
    files: [`web/src/features/${feature}/**`],
    above: [...features.filter((other) => other !== feature), "routes", "app"],
  })),
].map(({ files, above }) => ({
  files,
  rules: {
    "no-restricted-imports": [
      "error",
      {
        patterns: [
          {
            regex: `/(${above.join("|")})(/|\\.|$)`,
            message: "Imports point down only: ui, lib, api ← features ← routes.",
          },
        ],
      },
    ],
  },
}));

export default tseslint.config(
  { ignores: ["web/dist", "web/eslint.config.js", "web/src/api/schema.d.ts"] },
  ...tseslint.configs.strictTypeChecked,
  { ...reactHooks.configs.flat.recommended, files: ["web/src/**"] },
  {
    languageOptions: {
      parserOptions: {
        project: ["./tsconfig.json", "./tsconfig.browser.json"],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
    },
  },
  ...directions,
);
