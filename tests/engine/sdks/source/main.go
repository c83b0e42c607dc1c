// Prints how `pulumi package add` understands the source of a package, as JSON.
//
//	go run ./source git.example.com/OWNER/NAME.git/package@v0.1.0
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
)

func main() {
	plugin, err := workspace.NewPluginDescriptor(
		context.Background(), os.Args[1], apitype.ResourcePlugin, nil, "", nil)
	if err != nil {
		log.Fatal(err)
	}
	json.NewEncoder(os.Stdout).Encode(map[string]string{
		"pluginDownloadURL": plugin.PluginDownloadURL,
		"version":           plugin.Version.String(),
		"folder":            plugin.SubDir(),
	})
}
