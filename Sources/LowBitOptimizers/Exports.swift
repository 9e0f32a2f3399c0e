@_exported import BlockQuantization
