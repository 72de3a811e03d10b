# What can be chosen for every system. A system's own facts are in its variable file.

variable "iso_path" {
  type        = string
  default     = ""
  description = "The installer's ISO on this machine. RHEL and openEuler need it; the others are downloaded without."
}

variable "architecture" {
  type        = string
  default     = "amd64"
  description = "The machines that the image is for, in MAAS's words: amd64 or arm64."
  validation {
    condition     = contains(["amd64", "arm64"], var.architecture)
    error_message = "The architecture is amd64 or arm64."
  }
}

variable "filename" {
  type        = string
  default     = ""
  description = "Where the image goes; by default NAME.tar.gz in the working folder."
}

variable "kickstart" {
  type        = string
  default     = ""
  description = "A kickstart file of your own, in place of el.ks.pkrtpl.hcl. It has to power the machine off."
}

variable "packages" {
  type        = list(string)
  default     = []
  description = "Further packages, groups (@name) and exclusions (-name) for the image."
}

variable "filesystem" {
  type        = string
  default     = "ext4"
  description = "The root file system during the build: ext4 or xfs. MAAS makes its own at deployment."
  validation {
    condition     = contains(["ext4", "xfs"], var.filesystem)
    error_message = "The file system is ext4 or xfs."
  }
}

variable "provision" {
  type        = bool
  default     = false
  description = "Start the installed system, so that the provisioners of the build run on it over SSH."
}

variable "ks_mirror" {
  type        = string
  default     = env("KS_MIRROR")
  description = "A mirror to take packages from, in place of the system's own; for systems whose file has a mirror."
}

variable "ks_proxy" {
  type        = string
  default     = env("KS_PROXY")
  description = "A proxy for the installer's downloads, such as http://proxy:3128. It does not stay in the image."
}

variable "http_proxy" {
  type        = string
  default     = env("HTTP_PROXY")
  description = "The proxy when KS_PROXY is not set. Packer's own download of the ISO takes HTTP_PROXY by itself."
}

variable "headless" {
  type        = bool
  default     = true
  description = "Without a window for the machine's screen. Its serial console appears in Packer's output either way."
}

variable "timeout" {
  type        = string
  default     = "1h"
  description = "How long the installation may take in all. A dead or silent installer ends it sooner."
}

variable "disk_size" {
  type        = string
  default     = "16G"
  description = "The build's disk. What stays empty costs nothing."
}

# The system's own facts.

variable "name" {
  type        = string
  description = "What the system is called here: the variable file's name."
}

variable "release" {
  type        = number
  description = "The release of RHEL that the system's installer is like: 7 to 10."
  validation {
    condition     = var.release >= 7 && var.release <= 10
    error_message = "The release is 7, 8, 9 or 10."
  }
}

variable "title" {
  type        = string
  description = "What MAAS's pages show."
}

variable "maas_name" {
  type        = string
  description = "The image's name in MAAS, such as rhel/9-custom, or a bare one."
}

variable "base_image" {
  type        = string
  default     = ""
  description = "For a bare name, the system that MAAS treats the image like, such as rhel/9."
}

variable "maas_minimum" {
  type        = string
  default     = ""
  description = "The oldest MAAS that deploys the system."
}

variable "user" {
  type        = string
  default     = "cloud-user"
  description = "The account that cloud-init makes on each machine, with the keys from MAAS."
}

variable "hooks" {
  type        = bool
  default     = false
  description = "The system needs curtin/curtin-hooks on amd64, too; on arm64 all do."
}

variable "iso_url" {
  type        = map(string)
  default     = {}
  description = "Where the installer's ISO is downloaded from, by architecture."
}

variable "iso_checksum" {
  type        = map(string)
  default     = {}
  description = "Its checksum, by architecture, or file:URL of a list of them."
}

variable "mirror" {
  type        = string
  default     = ""
  description = "The start of the repositories' addresses that KS_MIRROR replaces."
}

variable "repositories" {
  type        = map(string)
  default     = {}
  description = "Where packages come from, base the first; $basearch is the machine's name. Empty for a DVD that has them."
}

variable "system_packages" {
  type        = list(string)
  default     = []
  description = "Packages that this system alone needs."
}

variable "ignore_missing_packages" {
  type        = bool
  default     = false
  description = "Go on when the system does not have all the packages that the family has. The image's checks say what MAAS misses."
}
