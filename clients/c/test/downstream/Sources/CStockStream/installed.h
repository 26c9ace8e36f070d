#include <stockstream.h>
