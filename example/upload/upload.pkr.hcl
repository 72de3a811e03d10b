# Sends an image that is ready to MAAS. Nothing is built.
#
#   export MAAS_URL=http://maas.example:5240/MAAS MAAS_API_KEY=...
#   packer init .
#   packer build -var image=debian12.tar.gz -var name=debian12 -var base_image=ubuntu/noble .
#
# An upload that was interrupted goes on where it stopped.

packer {
  required_version = ">= 1.12.0"
  required_plugins {
    maas = {
      version = ">= 0.1.0"
      source  = "github.com/packer-maas/maas"
    }
  }
}

variable "image" {
  type        = string
  description = "The image's file, made by this plugin or by anything else."
}

variable "name" {
  type        = string
  description = "Its name in MAAS: debian12, or rhel/9.4 for a system that MAAS knows."
}

variable "title" {
  type        = string
  default     = ""
  description = "What MAAS's pages show; empty for MAAS's own title."
}

variable "architecture" {
  type        = string
  default     = "amd64/generic"
  description = "The machines that the image is for."
}

variable "base_image" {
  type        = string
  default     = ""
  description = "For a bare name, the system that the image is made like: ubuntu/noble, rhel/9."
}

variable "filetype" {
  type        = string
  default     = "tgz"
  description = "What the file is, in MAAS's words: tgz for a root tarball, ddgz for a whole disk."
}

variable "checks" {
  type        = string
  default     = "on"
  description = "on stops at what MAAS could not deploy, warn only tells it, off does not look."
}

variable "ignore_checks" {
  type        = list(string)
  default     = []
  description = "Checks that may fail, by name."
}

source "null" "image" {
  communicator = "none"
}

build {
  sources = ["source.null.image"]

  post-processor "maas-image" {
    image         = var.image
    filetype      = var.filetype
    checks        = var.checks
    ignore_checks = var.ignore_checks

    upload {
      name         = var.name
      title        = var.title
      architecture = var.architecture
      base_image   = var.base_image
    }
  }
}
