// HotPathTests
