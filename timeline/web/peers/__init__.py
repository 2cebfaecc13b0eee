"""What other tools' pages read from us: the query APIs of Jaeger and Zipkin."""
