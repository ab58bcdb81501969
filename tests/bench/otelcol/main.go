// The OpenTelemetry Collector as `make bench` compares it: OTLP in, batches, ClickHouse out, nothing else.
package main

import (
	"log"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/clickhouseexporter"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/batchprocessor"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

func main() {
	settings := otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "otelcol", Description: "OTLP to ClickHouse", Version: "bench"},
		Factories: func() (otelcol.Factories, error) {
			otlp, batch, clickhouse := otlpreceiver.NewFactory(), batchprocessor.NewFactory(), clickhouseexporter.NewFactory()
			return otelcol.Factories{
				Receivers:  map[component.Type]receiver.Factory{otlp.Type(): otlp},
				Processors: map[component.Type]processor.Factory{batch.Type(): batch},
				Exporters:  map[component.Type]exporter.Factory{clickhouse.Type(): clickhouse},
				Telemetry:  otelconftelemetry.NewFactory(),
			}, nil
		},
		ConfigProviderSettings: otelcol.ConfigProviderSettings{
			ResolverSettings: confmap.ResolverSettings{
				ProviderFactories: []confmap.ProviderFactory{fileprovider.NewFactory()},
				DefaultScheme:     "file",
			},
		},
	}
	if err := otelcol.NewCommand(settings).Execute(); err != nil {
		log.Fatal(err)
	}
}
