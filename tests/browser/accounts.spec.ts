import { expect, expectAccessible, open, row, signIn, test } from "./fixtures";

test("reseller_sees_only_own_accounts_and_enters_one", async ({ page, demo, api }) => {
  const reseller = await api.reseller();
  const own = await api.account(reseller);
  const reachable = await api.get<{ items: unknown[] }>(reseller, "/v1/accounts?limit=200");
  const customer = await api.account(demo.owner);

  await signIn(page, reseller);
  await open(page, "Accounts");
  const tree = page.getByRole("table", { name: "Accounts" });
  await expect(tree.locator("tbody tr")).toHaveCount(reachable.items.length);
  await expect(tree.locator("tbody tr").first()).toContainText(own.name);
  await expectAccessible(page);

  await tree.getByRole("link", { name: `Enter ${customer.name}`, exact: true }).click();
  const banner = page.getByRole("complementary", {
    name: "Acting for another account",
  });
  await expect(banner).toContainText(customer.name);
  await expectAccessible(page);
  await open(page, "Numbers");
  await expect(page.getByRole("table", { name: "Numbers" })).toBeVisible();
  await banner.getByRole("link", { name: `Back to ${own.name}` }).click();
  await expect(banner).toHaveCount(0);
});

test("child_is_created_and_a_customer_beside_it_sees_nothing_of_it", async ({
  page,
  demo,
  api,
}) => {
  const reseller = await api.reseller();
  await signIn(page, reseller);
  await open(page, "Accounts");
  await page.getByRole("button", { name: "New account" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("Lighthouse Dental");
  await dialog.getByLabel("Kind").selectOption("customer");
  await dialog.getByLabel("Reference").fill("T-1");
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Create account" }).click();
  await expect(page.getByRole("heading", { name: "Lighthouse Dental" })).toBeVisible();
  await expectAccessible(page);
  const id = new URL(page.url()).pathname.split("/").at(-1) ?? "";
  await open(page, "Accounts");
  await page.getByLabel("Search").fill("lighthouse");
  await expect(row(page, "Lighthouse Dental")).toContainText("T-1");

  const customer = await api.account(demo.owner);
  await page.getByRole("button", { name: reseller.email }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await signIn(page, demo.owner);
  await open(page, "Accounts");
  await expect(row(page, customer.name).first()).toBeVisible();
  await expect(row(page, "Lighthouse Dental")).toHaveCount(0);

  await page.goto(`/accounts/${id}/numbers`);
  await expect(page.getByRole("alert")).toContainText("This account could not be opened");
  await expect(page.getByText("Lighthouse Dental")).toHaveCount(0);
});

test("account_is_switched_by_keyboard", async ({ page, demo, api }) => {
  const reseller = await api.reseller();
  const customer = await api.account(demo.owner);
  await signIn(page, reseller);
  await page.getByRole("button", { name: /Switch account/ }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("combobox", { name: "Search for an account" })).toBeFocused();
  await page.keyboard.type(customer.name);
  await expect(page.getByRole("option").first()).toContainText(customer.name);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: customer.name, level: 1 })).toBeVisible();
});
