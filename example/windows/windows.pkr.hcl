# An image for MAAS of Windows Server 2016 to 2025, Windows 10 and 11, or Azure Local. What
# makes one version different is in its variable file; docs/windows.md tells the whole way to
# a machine that is deployed.
#
#   packer init .
#   packer build -var-file=windows2022.pkrvars.hcl -var iso_path=SERVER_EVAL_x64FRE_en-us.iso .
#   packer build -var-file=windows2022.pkrvars.hcl -var vhdx_path=server2022.vhdx .

packer {
  required_version = ">= 1.12.0"
  required_plugins {
    maas = {
      version = ">= 0.1.0"
      source  = "github.com/packer-maas/maas"
    }
  }
}

locals {
  vhdx = var.vhdx_path != ""

  # Which image of the installer's install.wim, as `dism /Get-ImageInfo` names it:
  # Windows Server 2022 SERVERSTANDARD, Windows 11 Pro.
  editions = { HOME = "Home", PRO = "Pro", EDUCATION = "Education", ENTERPRISE = "Enterprise" }
  image    = "${var.product} ${lookup(local.editions, upper(var.edition), var.edition)}"

  region = {
    keyboard  = var.keyboard
    language  = var.language
    locale    = var.locale
    time_zone = var.time_zone
  }

  # Setup looks for Autounattend.xml. A disk on which it ran already looks for Unattend.xml
  # when it is started for the first time.
  answers_name = local.vhdx ? "Unattend.xml" : "Autounattend.xml"
  answers = templatefile("autounattend.xml.pkrtpl.hcl", merge(local.region, {
    client      = var.client
    image_index = var.image_index
    image_name  = local.image
    password    = local.password
    product_key = var.product_key
    vhdx        = local.vhdx
  }))

  # What the scripts in the machine are to do.
  settings = {
    generalize     = var.generalize
    proxy          = var.http_proxy
    updates        = var.windows_update
    virtio_folder  = var.virtio_folder
    virtio         = local.given.virtio
    cloudbase_init = local.given.cloudbase_init
  }

  # A file of one's own goes onto the build's volume; a URL is fetched in the machine.
  is_url = { for source in [var.virtio, var.cloudbase_init] : source => can(regex("^https?://", source)) }
  given = {
    for name, source in {
      virtio         = { from = var.virtio, sha256 = var.virtio_sha256, file = "virtio-win.iso", signer = "" }
      cloudbase_init = { from = var.cloudbase_init, sha256 = var.cloudbase_init_sha256, file = "cloudbase-init.msi", signer = "Cloudbase Solutions" }
      } : name => {
      file   = source.file
      url    = local.is_url[source.from] ? source.from : ""
      path   = local.is_url[source.from] ? "" : source.from
      sha256 = source.sha256
      signer = source.signer
    }
  }
  content = {
    (local.answers_name) = local.answers
    "maas/settings.json" = jsonencode(local.settings)
    "maas/deploy.xml"    = templatefile("deploy.xml.pkrtpl.hcl", local.region)
  }
  files = merge(
    { "maas" = "${path.root}/scripts", "curtin" = "${path.root}/curtin" },
    # Setup looks for drivers there by itself.
    var.drivers != "" ? { "$WinPEDriver$" = var.drivers } : {},
    var.custom != "" ? { "custom" = var.custom } : {},
    { for name, source in local.given : "given/${source.file}" => source.path if source.path != "" },
  )

  # The CD's boot loader waits five seconds for a key. What it gets after that is too early
  # for anything else to hear.
  boot_command = local.vhdx ? [] : [for second in range(var.boot_wait) : "<enter><wait1s>"]
}

# Of accounts that the build's installation has, and the image has not; each build makes its
# own.
local "password" {
  expression = "${uuidv4()}-M"
  sensitive  = true
}

source "maas-qemu" "windows" {
  architecture     = "amd64"
  firmware         = var.firmware
  tpm              = var.tpm
  iso_url          = local.vhdx ? var.vhdx_path : var.iso_path
  iso_checksum     = var.iso_checksum
  disk_image       = local.vhdx
  disk_size        = var.disk_size
  skip_resize_disk = local.vhdx
  output_directory = "output-${var.name}"
  vm_name          = "${var.name}.qcow2"
  headless         = var.headless

  # A machine whose every part Windows has a driver for. Its network card starts nothing, so
  # that the firmware gives up at once if the CD does not start.
  machine_type   = "q35"
  memory         = var.memory
  disk_interface = "ide"
  net_device     = "e1000,romfile="

  boot_wait    = "1s"
  boot_command = local.boot_command
  seed {
    label   = "MAAS"
    media   = "usb"
    files   = local.files
    content = local.content
  }

  # The machine powers itself off when all is done, and stays on when something failed. The
  # other failure is Secure Boot's.
  success_patterns = ["^maas: done$"]
  failure_patterns = ["^maas: failed: ", "^BdsDxe: failed to load .*: Access Denied"]
  shutdown_timeout = var.timeout
  communicator     = "none"
}

build {
  sources = ["source.maas-qemu.windows"]

  post-processor "maas-image" {
    filetype = var.filetype
    output   = var.filename != "" ? var.filename : "${var.name}.dd.${var.filetype == "ddgz" ? "gz" : "tgz"}"

    # To the region that MAAS_URL and MAAS_API_KEY name, if they are set.
    upload {
      optional     = true
      name         = var.maas_name
      title        = var.title
      architecture = "amd64/generic"
    }
  }
}
