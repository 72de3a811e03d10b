"""Talks to a metadata service that checks signatures as MAAS's does."""

import unittest

import recorder
from metadata_service import Service

import esx
import metadata


class Client(unittest.TestCase):
    def setUp(self):
        metadata.PAUSE = 0.01

    def get(self, service, path="meta-data/local-hostname", patience=10, **changes):
        client = metadata.Client(dict(service.datasource, **changes), service.reporting, patience=patience)
        try:
            result, _ = recorder.quietly(client.get, path)
            return result
        except esx.Failed as err:
            return str(err)

    def test_signed(self):
        with Service({"meta-data/local-hostname": b"node1.maas"}) as service:
            self.assertEqual(self.get(service), b"node1.maas")
            self.assertIsNone(self.get(service, "user-data"))
        self.assertEqual(service.asked, ["2012-03-01/meta-data/local-hostname", "2012-03-01/user-data"])

    def test_wrong_credentials_end_at_once(self):
        with Service({}) as service:
            self.assertIn("Invalid oauth_signature", self.get(service, token_secret="other"))
            self.assertIn("Invalid oauth_token", self.get(service, token_key="other"))
        self.assertEqual(len(service.asked), 2)

    def test_clock(self):
        """A host's clock may be hours off: the refusal says the server's time."""
        for clock in (-7200, 86400):
            with Service({"meta-data/local-hostname": b"node1"}, clock=clock) as service:
                self.assertEqual(self.get(service), b"node1")
            self.assertEqual(len(service.asked), 2)

    def test_patience(self):
        with Service({"meta-data/local-hostname": b"node1"}, failures=[500, 503]) as service:
            self.assertEqual(self.get(service), b"node1")
        with Service({}, failures=[500] * 9) as service:
            self.assertIn("500", self.get(service, patience=0))
        # Nobody is there any more.
        self.assertIn("MAAS: meta-data/local-hostname: ", self.get(service, patience=0.05))

    def test_report(self):
        with Service({}) as service:
            client = metadata.Client(service.datasource, service.reporting)
            recorder.quietly(client.report, "esxi-first-boot", "no disk", True)
        event = service.events[0]
        self.assertEqual((service.asked, event["name"], event["origin"], event["result"], event["description"]),
                         (["status/abc123"], "esxi-first-boot", "esxi", "FAIL", "no disk"))

    def test_report_that_fails(self):
        with Service({}, failures=[500]) as service:
            client = metadata.Client(service.datasource, service.reporting)
            _, said = recorder.quietly(client.report, "esxi-first-boot", "no disk", True)
        self.assertIn("MAAS was not told", said)


if __name__ == "__main__":
    unittest.main()
