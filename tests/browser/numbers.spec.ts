import { readFile } from "node:fs/promises";
import { expect, expectAccessible, open, row, signIn, test } from "./fixtures";

test("numbers_are_searched_and_filtered_by_the_address", async ({ page, demo, api }) => {
  const [first = ""] = demo.serviceNumbers;
  const { id } = await api.account(demo.owner);
  const numbers = await api.get<{ items: unknown[] }>(demo.owner, `/v1/accounts/${id}/numbers`);
  const count = numbers.items.length;
  await signIn(page, demo.owner);
  await open(page, "Numbers");
  const rows = page.getByRole("table", { name: "Numbers" }).locator("tbody tr");
  await expect(rows).toHaveCount(count);
  await expectAccessible(page);

  await page.getByLabel("Search").fill(first.replace("+44", "0"));
  await expect(rows).toHaveCount(1);
  await expect(page).toHaveURL(/[?&]q=0/);
  await page.reload();
  await expect(rows).toHaveCount(1);

  await page.getByLabel("Search").fill("no such number");
  await expect(page.getByText("No number matches these filters")).toBeVisible();
  await page.getByRole("button", { name: "Show all numbers" }).click();
  await expect(rows).toHaveCount(count);
});

test("number_is_parked_described_and_made_active_again", async ({ page, demo }) => {
  await signIn(page, demo.owner);
  await open(page, "Numbers");
  const change = page.getByRole("button", { name: /^Change/ }).last();
  const number = (await change.getAttribute("aria-label"))?.replace("Change ", "") ?? "";
  await change.click();
  const dialog = page.getByRole("dialog");
  await expectAccessible(page);
  await dialog.getByLabel("Status").selectOption("parked");
  await dialog.getByLabel("Description").fill("Parked by a test");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(row(page, number)).toContainText("Parked by a test");
  await expect(row(page, number).getByText("Parked", { exact: true })).toBeVisible();

  await page.getByRole("button", { name: `Change ${number}` }).click();
  await dialog.getByLabel("Status").selectOption("active");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(row(page, number).getByText("Active", { exact: true })).toBeVisible();
});

test("call_plan_is_taken_from_a_number_and_assigned_again", async ({ page, demo }) => {
  await signIn(page, demo.owner);
  await open(page, "Numbers");
  const change = page.getByRole("button", { name: /^Change/ }).last();
  const number = (await change.getAttribute("aria-label"))?.replace("Change ", "") ?? "";
  const dialog = page.getByRole("dialog");

  await change.click();
  const plan = dialog.getByLabel("Active call plan");
  const name = (await plan.locator("option").nth(1).textContent()) ?? "";
  await plan.selectOption({ label: "None" });
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(row(page, number)).toContainText("None");

  await page.getByRole("button", { name: `Change ${number}` }).click();
  await plan.selectOption({ label: name });
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(row(page, number)).toContainText(name);
});

test("numbers_are_exported", async ({ page, demo }) => {
  await signIn(page, demo.owner);
  await open(page, "Numbers");
  await expect(page.getByRole("table", { name: "Numbers" })).toBeVisible();
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export CSV" }).click();
  const file = await download;
  expect(file.suggestedFilename()).toBe("numbers.csv");
  const text = await readFile(await file.path(), "utf8");
  for (const number of demo.serviceNumbers) expect(text).toContain(number);
});
