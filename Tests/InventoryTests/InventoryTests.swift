// InventoryTests
