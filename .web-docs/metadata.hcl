# For Packer's integrations page.
integration {
  name        = "MAAS"
  description = "Makes images that MAAS can deploy on bare metal out of disks that Packer builds."
  identifier  = "packer/packer-maas/maas"
  flags       = ["hcp-ready"]
  docs {
    process_docs    = true
    readme_location = "./README.md"
    external_url    = "https://github.com/packer-maas/packer-plugin-maas"
  }
  license {
    type = "MPL-2.0"
    url  = "https://github.com/packer-maas/packer-plugin-maas/blob/main/LICENSE"
  }
  component {
    type = "builder"
    name = "maas-qemu"
    slug = "qemu"
  }
  component {
    type = "data-source"
    name = "maas-version"
    slug = "version"
  }
  component {
    type = "post-processor"
    name = "maas-image"
    slug = "image"
  }
}
