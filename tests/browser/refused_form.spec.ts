import { expect, expectAccessible, open, signIn, test } from "./fixtures";

test("every_problem_of_a_refused_form_is_shown_at_its_field", async ({ page, demo }) => {
  await signIn(page, demo.owner);
  await open(page, "Scheduled calls");
  await page.getByRole("link", { name: "New scheduled call" }).first().click();
  await page.getByLabel("Service number").fill("+441632960999");
  await page.getByLabel("First party").fill("nobody");
  await page.getByLabel("Ring for").fill("90");
  await page.getByRole("button", { name: "Call now" }).click();

  await expect(page.getByRole("alert")).toContainText("3 things stand against it");
  for (const label of ["Service number", "First party", "Ring for"]) {
    const field = page.getByLabel(label);
    await expect(field).toHaveAttribute("aria-invalid", "true");
    await expect(field).toHaveAccessibleDescription(/\w+ \w+/);
  }
  await expect(page.getByLabel("Service number")).toBeFocused();
  await expect(page.getByLabel("First party")).toHaveValue("nobody");
  await expectAccessible(page);
});

test("refused_account_says_what_is_missing", async ({ page, demo }) => {
  const [top] = demo.users;
  if (top === undefined) throw new Error("the demonstration has users");
  await signIn(page, top);
  await open(page, "Accounts");
  await page.getByRole("button", { name: "New account" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Create account" }).click();
  await expect(dialog.getByLabel("Name")).toHaveAttribute("aria-invalid", "true");
  await page.keyboard.press("Escape");
  await expect(dialog).toHaveCount(0);
});

test("page_that_fails_says_so_and_recovers", async ({ page, demo }) => {
  await signIn(page, demo.owner);
  let isBroken = true;
  await page.route("**/v1/accounts/*/records*", (route) =>
    isBroken ? route.abort() : route.continue(),
  );
  await open(page, "Call records");
  const failure = page.getByRole("alert");
  await expect(failure).toContainText("The call records could not be loaded");
  isBroken = false;
  await failure.getByRole("button", { name: "Try again" }).click();
  await expect(failure).toHaveCount(0);
});
