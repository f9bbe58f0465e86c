"""What the server counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """Counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.looks = Counter("serve_looks_total", "Pictures and frames looked at", ["kind"], registry=self.registry)
        self.faces = Counter("serve_faces_total", "Faces seen, by likeliest label", ["label"], registry=self.registry)
        self.refused = Counter("serve_refused_total", "Pictures and frames refused", registry=self.registry)
        self.dropped = Counter("serve_dropped_total", "Frames for which a newer one came first", registry=self.registry)
        self.corrections = Counter("serve_corrections_total", "Corrections kept", ["label"], registry=self.registry)
        self.stale = Counter(
            "serve_stale_total",
            "Times the registry named no champion, and the last one known went on",
            registry=self.registry,
        )
        self.clients = Gauge("serve_clients", "WebSockets that are open", registry=self.registry)
        self.seconds = Histogram(
            "serve_look_seconds",
            "Seconds from a frame's arrival to its answer",
            buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2),
            registry=self.registry,
        )

    def text(self) -> bytes:
        """Return all of them as Prometheus reads them."""
        return generate_latest(self.registry)
