// Writes the SDKs of a package for Go and TypeScript, as `pulumi package add` does.
//
//	go run . schema.json folder
package main

import (
	"encoding/json"
	"log"
	"os"
	"path/filepath"

	gogen "github.com/pulumi/pulumi/pkg/v3/codegen/go"
	"github.com/pulumi/pulumi/pkg/v3/codegen/nodejs"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
)

func main() {
	text, err := os.ReadFile(os.Args[1])
	check(err)
	var spec schema.PackageSpec
	check(json.Unmarshal(text, &spec))
	pkg, err := schema.ImportSpec(spec, nil, schema.NewNullLoader(), schema.ValidationOptions{})
	check(err)
	files, err := gogen.GeneratePackage("pulumi", pkg, nil)
	check(err)
	write("go", files)
	files, err = nodejs.GeneratePackage("pulumi", pkg, nil, nil, true, nil)
	check(err)
	write("nodejs", files)
}

func write(language string, files map[string][]byte) {
	for name, content := range files {
		path := filepath.Join(os.Args[2], language, name)
		check(os.MkdirAll(filepath.Dir(path), 0o755))
		check(os.WriteFile(path, content, 0o644))
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
