// HotPath
