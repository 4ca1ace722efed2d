import reactHooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

const features = ["accounts", "calls", "home", "numbers", "scheduled_calls", "session"];

/** The lower a folder stands, the fewer it may name: ui, lib, api ← features ← routes. */
const directions = [
  { files: ["src/ui/**", "src/lib/**"], above: ["api", "features", "routes", "app"] },
  { files: ["src/api/**"], above: ["ui", "features", "routes", "app"] },
  ...features.map((feature) => ({
    files: [`src/features/${feature}/**`],
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
  { ignores: ["dist", "eslint.config.js", "src/api/schema.d.ts"] },
  ...tseslint.configs.strictTypeChecked,
  reactHooks.configs.flat.recommended,
  {
    languageOptions: {
      parserOptions: { project: ["./tsconfig.json", "./tsconfig.browser.json"] },
    },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
    },
  },
  ...directions,
);
