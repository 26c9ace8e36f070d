import Glibc

/// Takes all the descriptors that the system allows.
/// - Returns: how many.
func raiseDescriptorLimit() -> Int {
  var limit = rlimit()
  let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
  guard getrlimit(files, &limit) == 0 else { return 1_024 }
  limit.rlim_cur = limit.rlim_max
  setrlimit(files, &limit)
  getrlimit(files, &limit)
  return Int(clamping: limit.rlim_cur)
}
