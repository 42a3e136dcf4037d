// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice Stands at PancakeSwap V3's pool deployer on local chains, because npm carries the factory and the pool but not
/// the deployer between them. Deploys the real pool code with the real salt, so that pools get their mainnet addresses.
contract LocalPancakeV3Deployer {
    struct Parameters {
        address factory;
        address token0;
        address token1;
        uint24 fee;
        int24 tickSpacing;
    }

    /// @notice What the constructor of a pool asks its deployer for; set only while a pool is being created.
    Parameters public parameters;

    address public immutable factory;
    /// @notice Account whose code is the *creation* code of a pool.
    address public immutable poolCode;

    constructor(address factory_, address poolCode_) {
        factory = factory_;
        poolCode = poolCode_;
    }

    function deploy(
        address factory_,
        address token0,
        address token1,
        uint24 fee,
        int24 tickSpacing
    ) external returns (address pool) {
        require(msg.sender == factory, "not the factory");
        parameters = Parameters(factory_, token0, token1, fee, tickSpacing);
        bytes memory creationCode = poolCode.code;
        bytes32 salt = keccak256(abi.encode(token0, token1, fee));
        assembly ("memory-safe") {
            pool := create2(0, add(creationCode, 32), mload(creationCode), salt)
        }
        require(pool != address(0), "pool not created");
        delete parameters;
    }
}
