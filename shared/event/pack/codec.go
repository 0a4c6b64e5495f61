package pack

import (
	"encoding/base64"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)
