package release

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/CycloneDX/cyclonedx-gomod/pkg/generate/bin"
	"github.com/google/uuid"
	"github.com/rs/zerolog"
)

// writeBOMs writes a bill of materials for each program, of the modules that its linker recorded.
func (r *release) writeBOMs(context.Context) error {
	for _, p := range r.programs {
		text, err := bom(p.path, r.source.at)
		if err != nil {
			return fmt.Errorf("%s: %w", p.id(), err)
		}
		if err := r.write(p.id()+".cdx.json", text); err != nil {
			return err
		}
	}
	return nil
}

// bom is a program's in the form of CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json). Its time is the commit's, and its serial
// number follows from its content, because a bill of the same program is the same bill.
func bom(path string, at time.Time) ([]byte, error) {
	generator, err := bin.NewGenerator(path, bin.WithIncludeStdlib(true), bin.WithLogger(zerolog.Nop()))
	if err != nil {
		return nil, fmt.Errorf("read its modules: %w", err)
	}
	b, err := generator.Generate()
	if err != nil {
		return nil, fmt.Errorf("read its modules: %w", err)
	}
	b.Metadata.Timestamp = at.Format(time.RFC3339)
	unnumbered, err := encoded(b)
	if err != nil {
		return nil, err
	}
	b.SerialNumber = "urn:uuid:" + uuid.NewSHA1(uuid.NameSpaceURL, append([]byte(home+"/releases/"), unnumbered...)).String()
	return encoded(b)
}

func encoded(b *cyclonedx.BOM) ([]byte, error) {
	var out bytes.Buffer
	encoder := cyclonedx.NewBOMEncoder(&out, cyclonedx.BOMFileFormatJSON).SetPretty(true)
	if err := encoder.EncodeVersion(b, cyclonedx.SpecVersion1_6); err != nil {
		return nil, fmt.Errorf("write it: %w", err)
	}
	return out.Bytes(), nil
}
